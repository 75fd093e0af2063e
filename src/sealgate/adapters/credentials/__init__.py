"""Sources of short-lived credentials (``ports.credentials``): PostgreSQL, AWS STS, OAuth, and our own tokens."""
