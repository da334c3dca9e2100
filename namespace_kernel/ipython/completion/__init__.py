"""Completion: a completer for each request, and what jedi need not do again."""
