"""Building blocks of networks: pure modules and functions, no input or output."""
