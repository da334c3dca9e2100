"""Output belongs to the cell that caused it: what threads and pools inherit, and whose a redirection is."""
