"""What outlives the process: why a kernel died, and how much memory it may take before it is killed."""
