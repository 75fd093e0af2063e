"""Signing in another process (ports.signing)."""
