"""What can be said of many measured values: ranks, intervals, significance."""
