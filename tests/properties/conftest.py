"""How many examples each property is tried on: a few in `make check`, hypothesis' hundred in `make test`."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("quick", max_examples=20)
