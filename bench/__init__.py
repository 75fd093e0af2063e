"""Measured claims. ``python -m bench NAME [--seconds N] [--full] --json``; results live in ``bench/RESULTS.md``."""
