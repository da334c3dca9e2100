"""Benchmarks: this kernel beside others, interleaved in one run. See `python -m benchmarks --help`."""
