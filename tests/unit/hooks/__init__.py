"""Tests of the hooks; a package, so that they share `calls`."""
