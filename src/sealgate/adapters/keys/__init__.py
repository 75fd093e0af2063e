"""Where keys live: encrypted files, a PKCS#11 device, and the database of wrapped data keys."""
