"""How sure we are: pure functions on arrays, each with its source."""
