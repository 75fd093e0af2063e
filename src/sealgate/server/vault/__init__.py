"""The vault over HTTP: its routing table and what each route does."""
