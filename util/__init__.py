"""What stands around the networks: the run, the loop, checkpoints, metrics, loggers and pages."""
