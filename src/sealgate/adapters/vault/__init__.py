"""The vault's folder, its encrypted database, and its way to the authority."""
