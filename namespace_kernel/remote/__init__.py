"""This end of a cell that runs elsewhere: another process, or a cluster."""
