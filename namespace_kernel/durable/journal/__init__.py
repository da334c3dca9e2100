"""The journal: what cells have made is on disk, and comes back after the process has ended."""
