"""What the evidence log refuses, by kind: a value, a note, a proof, a log as a whole, a second writer."""

from __future__ import annotations

from stillwatch.errors import StillwatchError


class LedgerError(StillwatchError):
    """Root of what the evidence log refuses."""


class CanonicalError(LedgerError):
    """A value has no canonical JSON, or bytes are not the canonical JSON of anything."""


class NoteError(LedgerError):
    """A signed note, a checkpoint or a key is malformed, or no trusted key signed it."""


class ProofError(LedgerError):
    """A proof is malformed, or proves something else than it is shown for."""


class BrokenLogError(LedgerError):
    """A log folder contradicts itself or what was seen of it before, or is damaged."""


class BusyLogError(LedgerError):
    """Another process writes into the log at this moment."""


class HeldError(LedgerError):
    """A record was to be erased that a hold protects."""
