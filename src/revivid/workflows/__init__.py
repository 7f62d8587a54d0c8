"""What a user asks for, whole: compress, restore, roundtrip, evaluate. The command line and the Python API both call these."""
