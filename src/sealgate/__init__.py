"""Sealgate decides whether an AI agent's action may run, before it runs, and seals the evidence.

The names below are the thin client. They are imported when first used, so that the verifier, the authority and the
command line do not pay for what they do not need.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
