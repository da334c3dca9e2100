"""Answers the protocol: each handler says which messages it answers."""
