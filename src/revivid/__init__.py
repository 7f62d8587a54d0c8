"""revivid makes video small and brings it back sharp."""

__version__ = "0.1.0"
