"""From a trained network and images on disk to fused images, tables and a page."""
