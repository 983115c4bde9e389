"""From a configuration to a trained network: the loop, validation, and who watches."""
