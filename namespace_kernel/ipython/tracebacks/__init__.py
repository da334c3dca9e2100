"""What is shown of an error."""
