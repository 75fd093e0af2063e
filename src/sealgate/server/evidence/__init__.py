"""The evidence service over HTTP: its routes and handlers."""
