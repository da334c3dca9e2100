"""Runs a cell: the bridge with its stages, engines, executors and post-cell hooks."""
