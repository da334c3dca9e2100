"""Builds every part of a kernel, ground floor first, and joins them."""
