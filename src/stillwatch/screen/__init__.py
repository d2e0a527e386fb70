"""Reads a training corpus and says what in it is another model's output: matches with a served log, watermarks, and leads."""
