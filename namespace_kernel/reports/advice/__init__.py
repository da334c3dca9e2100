"""One line at the end of a traceback that says what to do, where that is certain."""
