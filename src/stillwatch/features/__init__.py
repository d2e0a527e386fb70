"""Features: what an entity does, as expressions over its exchanges. Nothing is executed here."""

from __future__ import annotations

from stillwatch.features.catalogue import CATALOGUE, features
from stillwatch.features.feature import Feature

__all__ = ["CATALOGUE", "Feature", "features"]
