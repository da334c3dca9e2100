"""What outlives the process: why a kernel died, how much memory it may take, and what cells made."""
