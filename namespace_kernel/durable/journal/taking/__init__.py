"""What names hold, taken while no cell runs: by pickling, which may fail or hang."""
