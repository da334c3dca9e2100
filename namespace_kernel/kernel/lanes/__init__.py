"""Lanes: each runs its cells one after the other. What runs them, what waits, and whose output is whose."""
