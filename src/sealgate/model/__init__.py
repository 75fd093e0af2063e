"""The ground everything stands on: errors, limits, identifiers and the typed words of the domain."""
