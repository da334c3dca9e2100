"""Bytes: sessions, sockets, streams, and the threads that drive them."""
