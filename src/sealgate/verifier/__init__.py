"""The verifier: offline, trusting only the keys it was given."""
