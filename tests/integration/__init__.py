"""Whole services over real parts."""
