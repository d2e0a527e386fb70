"""What can go wrong in this benchmark."""

from __future__ import annotations

from stillwatch.errors import StillwatchError


class UnfillableCellError(StillwatchError):
    """The corpora hold too few rows to fill a cell without dealing a row twice."""


class MissingCorporaError(StillwatchError):
    """The public corpora do not lie where they were looked for."""
