"""Benchmarks: what restoration gains on clips of one's own, as JSON that tables and plots are made of."""
