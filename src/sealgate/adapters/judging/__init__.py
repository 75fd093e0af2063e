"""Judging in other processes (ports.judging)."""
