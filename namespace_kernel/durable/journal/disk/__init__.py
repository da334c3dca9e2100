"""What lies on disk: a database, and files beside it for large buffers."""
