"""Changes of a log's keys: the old key signs a checkpoint whose last record names the new one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.ledger.checkpoints import Opened, open_checkpoint
from stillwatch.ledger.entries import parse_entry
from stillwatch.ledger.merkle import check_inclusion, inclusion_path, leaf_hash
from stillwatch.ledger.notes import VerifierKey, parse_key, shown
from stillwatch.ledger.refusals import BrokenLogError, NoteError
from stillwatch.ledger.tiles import WIDTH, Fetch, TileNodes, fetch_records

ROTATIONS = "rotations"
MOST_ROTATIONS = 1000
KIND = "key_rotation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eras:
    """Which keys sign a log's checkpoints at which sizes.

    Attributes:
        keys: (size from which on they sign, keys), oldest first.
        turns: the checkpoints at which keys changed; a later state must hold all of them.
    """

    keys: tuple[tuple[int, tuple[VerifierKey, ...]], ...]
    turns: tuple[Opened, ...] = ()

    @property
    def last(self) -> tuple[VerifierKey, ...]:
        """The keys of now."""
        return self.keys[-1][1]

    @property
    def every(self) -> tuple[VerifierKey, ...]:
        """The keys of all times."""
        return tuple(dict.fromkeys(key for _, keys in self.keys for key in keys))

    def at(self, size: int) -> tuple[VerifierKey, ...]:
        """The keys that sign a checkpoint of `size` records; at the very change, old and new ones."""
        found = [keys for start, keys in self.keys if start <= size]
        turning = [start for start, _ in self.keys[1:]]
        return (*found[-1], *found[-2]) if size in turning else found[-1]

    def check(self, opened: Opened, place: str) -> None:
        """Nothing where the checkpoint is signed by a key of its time; else NoteError."""
        if not set(opened.signed_by) & set(self.at(opened.checkpoint.size)):
            raise NoteError(f"{place} is signed by a key that was replaced at {self.keys[-1][0]} records; the old key is out of use since")


def follow(trusted: Sequence[VerifierKey], notes: Sequence[tuple[str, bytes]], fetch: Fetch) -> Eras:
    """From keys that are trusted through every change that they, and the keys after them, signed.

    Args:
        trusted: keys of one log, of whichever time.
        notes: (place, checkpoint) of the changes, smallest first; changes before the trusted keys' time are passed over.
        fetch: files of the log.

    Raises NoteError and BrokenLogError where a change that a trusted key signed does not hold.
    """
    if not trusted:
        raise NoteError("no key of the log is trusted; give one with --vkey")
    eras: list[tuple[int, tuple[VerifierKey, ...]]] = [(0, tuple(trusted))]
    turns: list[Opened] = []
    for place, note in notes:
        try:
            opened = open_checkpoint(note, eras[-1][1], place)
        except NoteError:
            if turns:
                raise
            continue
        named = _named(opened, place, fetch)
        if set(named) & set(eras[-1][1]):  # the change by which the trusted key came in
            continue
        open_checkpoint(note, named, place)
        eras.append((opened.checkpoint.size, named))
        turns.append(opened)
    return Eras(keys=tuple(eras), turns=tuple(turns))


def _named(opened: Opened, place: str, fetch: Fetch) -> tuple[VerifierKey, ...]:
    """The keys that the last record of the checkpoint names."""
    size, root = opened.checkpoint.size, opened.checkpoint.root
    if size == 0:
        raise BrokenLogError(f"{place} is of an empty log, where no key can have changed; remove the file")
    record = fetch_records(fetch, (size - 1) // WIDTH, size)[(size - 1) % WIDTH]
    check_inclusion(leaf_hash(record), size - 1, size, inclusion_path(size - 1, size, TileNodes(fetch, size)), root)
    entry = parse_entry(record, size - 1)
    if entry.kind != KIND or not entry.vkeys:
        raise BrokenLogError(f"{place} is signed, but its last record is {shown(entry.kind)} and names no key; remove the file")
    keys = tuple(parse_key(vkey) for vkey in entry.vkeys)
    if any(key.name != opened.checkpoint.origin for key in keys):
        raise BrokenLogError(f"{place} names keys of another log; restore it from a copy")
    return keys
