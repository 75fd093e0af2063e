"""Building a log's files in another process (ports.building)."""
