"""The other side of a cell that runs elsewhere: a process that runs it and says what came of it."""
