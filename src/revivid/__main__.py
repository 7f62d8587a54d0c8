"""`python -m revivid`: the same as `revivid`."""

from .cli.main import run

run()
