"""Other projects' own test suites, run against this kernel: `python -m tests.third_party`."""
