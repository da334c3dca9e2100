"""Stop: which code an interrupt ends, and which it must not touch."""
