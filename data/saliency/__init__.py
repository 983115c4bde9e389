"""Where the saliency map of a photograph comes from: an operator, a folder of maps, or a user's model."""
