"""Files: probing, reading, writing, carrying other streams along. PyAV only here and in the codecs."""
