"""Weights: what is inside the package."""
