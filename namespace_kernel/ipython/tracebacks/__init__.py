"""What is shown of an error, and whose libraries show it."""
