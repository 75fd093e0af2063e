"""Programs that drive named peers. They run under the peer's own interpreter and are never imported here."""
