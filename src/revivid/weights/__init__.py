"""Weights: what is inside the package, and the catalogue of published checkpoints with all that brings them here."""
