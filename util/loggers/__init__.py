"""Loggers of a training: console, files, page, dashboards. Each is imported only where it is chosen."""
