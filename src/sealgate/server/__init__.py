"""The HTTP API: one application, its listeners, its life."""
