"""Memory that processes of one machine share: large buffers travel in it."""
