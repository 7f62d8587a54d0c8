"""Making good video worse, seeded and replayable: what training learns to undo."""
