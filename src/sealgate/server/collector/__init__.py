"""The collector over HTTP: its routes and handlers."""
