"""The loops around networks: a run and its processes, training, fusing."""
