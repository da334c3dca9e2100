"""Kinds of values that people keep in notebooks: each is restored equal, or refused by name."""
