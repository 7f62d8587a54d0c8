"""Runs measured and reported: comparison, crops, the self-contained page."""
