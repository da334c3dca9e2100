"""What the user is told of what a cell did and left behind."""
