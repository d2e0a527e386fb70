"""Whole commands, each run as a user runs it; `make test` runs these, `make check` does not."""
