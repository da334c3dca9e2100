"""Where such a cell can run."""
