"""What knows nothing of networks or data sets: errors, files, images, metrics, statistics, loggers, pages."""
