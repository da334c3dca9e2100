"""Values and words that every floor uses. Knows nothing of the others."""
