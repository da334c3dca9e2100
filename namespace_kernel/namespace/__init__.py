"""The namespace: one dict for life, merged into and never replaced."""
