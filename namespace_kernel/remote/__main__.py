"""Serve the process that started this one."""

from .worker import main

main()
