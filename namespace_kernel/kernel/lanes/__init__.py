"""Lanes: each runs its cells one after the other, and lanes overlap."""
