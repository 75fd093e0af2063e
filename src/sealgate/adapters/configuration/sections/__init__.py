"""The sections of the configuration, by what they configure. Secrets are never here, only references to them."""
