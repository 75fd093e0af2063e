"""Archiving journal segments in another process (ports.archiving.Archiver)."""
