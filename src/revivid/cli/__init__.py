"""The command line: one file per command, and nothing but arguments and words in them; the work is done below."""
