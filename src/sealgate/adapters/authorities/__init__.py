"""Ways to an authority from another process."""
