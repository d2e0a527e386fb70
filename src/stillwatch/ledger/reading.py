"""A log folder as a reader sees it: checkpoint, keys, entries, proofs, contents. It needs no key and takes no lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from stillwatch.errors import UnreadableInputError
from stillwatch.ledger.checkpoints import Opened, open_checkpoint
from stillwatch.ledger.contents import FILE, Contents, OpeningBox
from stillwatch.ledger.entries import Entry, parse_entry
from stillwatch.ledger.files import Folder
from stillwatch.ledger.merkle import check_inclusion, consistency_path, inclusion_path, leaf_hash
from stillwatch.ledger.notes import LARGEST_NOTE, VerifierKey, parse_key
from stillwatch.ledger.proofs import ConsistencyProof, InclusionProof
from stillwatch.ledger.refusals import BrokenLogError, NoteError
from stillwatch.ledger.rotations import MOST_ROTATIONS, ROTATIONS, Eras, follow
from stillwatch.ledger.tiles import ENTRIES, LARGEST_BUNDLE, WIDTH, TileNodes, fetch_records, records_of, tile_path, tile_width

PUBLIC, PRIVATE = "public", "private"
CHECKPOINT = "checkpoint"
KEYS = "keys"
WITNESSED = "witnessed"
TIMESTAMPS = "timestamps"


class LogReader:
    """A log at the checkpoint that it had when it was opened.

    Args:
        folder: of the log; `public/` within it is what may be served.
        keys: the log's keys that are trusted; empty: those that the folder itself names, which proves nothing against its owner.

    Attributes:
        eras: which keys are trusted up to which size, rotations followed.
        opened: the checkpoint.

    Raises NoteError, BrokenLogError and UnreadableInputError for what cannot be trusted or read.
    """

    def __init__(self, folder: Path, keys: Sequence[VerifierKey] = ()) -> None:
        self.folder = folder
        self.public = Folder(folder / PUBLIC, private=False)
        if not (folder / PUBLIC).is_dir():
            raise UnreadableInputError(f"{folder} is no log: it has no folder {PUBLIC}; make one with: stillwatch log init {folder}")
        self.note = self._needed(CHECKPOINT)
        trusted = tuple(keys) or self.stated_keys()[:1]
        self.eras: Eras = follow(trusted, self.rotations(), self.public.fetch)
        self.opened: Opened = open_checkpoint(self.note, self.eras.last, self.place(CHECKPOINT))
        self.eras.check(self.opened, self.place(CHECKPOINT))
        self.size = self.opened.checkpoint.size
        self.nodes = TileNodes(self.public.fetch, self.size)

    def place(self, path: str) -> str:
        """A file's name for messages."""
        return str(self.folder / PUBLIC / path)

    def stated_keys(self) -> tuple[VerifierKey, ...]:
        """The keys that the folder says were the log's, oldest first; they are its owner's word."""
        lines = self._needed(KEYS).decode(errors="replace").splitlines()
        if not 1 <= len(lines) <= 2 * MOST_ROTATIONS:
            raise NoteError(f"{self.place(KEYS)} names {len(lines)} keys; restore it from a copy, or give the log's key with --vkey")
        return tuple(parse_key(line) for line in lines)

    def rotations(self) -> list[tuple[str, bytes]]:
        """(place, note) of every change of keys, by size."""
        return self.kept_notes(ROTATIONS)

    def kept_notes(self, folder: str) -> list[tuple[str, bytes]]:
        """(place, note) of a folder whose files are named after sizes, smallest first; other names are left alone."""
        names = sorted((name for name in self.public.names(folder, 10 * MOST_ROTATIONS) if name.isascii() and name.isdigit()), key=int)
        return [(self.place(f"{folder}/{name}"), self._needed(f"{folder}/{name}")) for name in names]

    def record(self, index: int) -> bytes:
        """An entry's bytes, seen to stand in the checkpoint.

        Raises ProofError for an index outside the log and for other bytes, BrokenLogError for files that are missing or torn.
        """
        path = inclusion_path(index, self.size, self.nodes)
        record = fetch_records(self.public.fetch, index // WIDTH, self.size)[index % WIDTH]
        root = self.opened.checkpoint.root
        check_inclusion(leaf_hash(record), index, self.size, path, root)
        return record

    def entry(self, index: int) -> Entry:
        """The entry of a record. Raises as `record`."""
        return parse_entry(self.record(index), index)

    def entries(self, kinds: Sequence[str] = (), *, start: int = 0) -> Iterator[tuple[int, Entry]]:
        """(index, entry) of records from `start` on, of the given kinds or all.

        Their place in the tree is not checked; `verify` does that.
        """
        marks = [f'"kind":"{kind}"'.encode() for kind in kinds]
        for bundle in range(start // WIDTH, -(-self.size // WIDTH)):
            if marks and not self._may_hold(bundle, marks):
                continue
            for place, record in enumerate(fetch_records(self.public.fetch, bundle, self.size)):
                index = bundle * WIDTH + place
                if index >= start and (not marks or any(mark in record for mark in marks)):
                    yield index, parse_entry(record, index)

    def _may_hold(self, bundle: int, marks: list[bytes]) -> bool:
        """A look at the bytes of a whole bundle, which spares taking most of them apart."""
        data = self.public.fetch(tile_path(ENTRIES, bundle, tile_width(0, bundle, self.size)), LARGEST_BUNDLE)
        return data is None or any(mark in data for mark in marks)

    def prove(self, index: int) -> InclusionProof:
        """Proof that record `index` stands in the log, checked. The newest cosigned checkpoint is used where one covers the record."""
        self.record(index)
        size, note = self._best_note(index)
        nodes = TileNodes(self.public.fetch, size) if size != self.size else self.nodes
        record = fetch_records(self.public.fetch, index // WIDTH, self.size)[index % WIDTH]
        proof = InclusionProof(index=index, path=tuple(inclusion_path(index, size, nodes)), note=note, extra=record)
        checkpoint = open_checkpoint(note, self.eras.at(size), self.place(CHECKPOINT)).checkpoint
        check_inclusion(leaf_hash(record), index, size, proof.path, checkpoint.root)
        return proof

    def _best_note(self, index: int) -> tuple[int, bytes]:
        cosigned = self.kept_notes(WITNESSED)
        for place, note in reversed(cosigned):
            size = int(place.rsplit("/", 1)[1])
            if index < size <= self.size:
                return size, note
        return self.size, self.note

    def prove_consistency(self, old: int) -> ConsistencyProof:
        """Proof that the log holds all that it held at `old` records. Raises ProofError where it is smaller than that."""
        return ConsistencyProof(old=old, path=tuple(consistency_path(old, self.size, self.nodes)), note=self.note)

    def contents(self, box: OpeningBox | None = None) -> Contents:
        """The contents, to be read; sealed ones open with `box` alone."""
        return Contents(self.folder / PRIVATE / FILE, writable=False, box=box)

    def _needed(self, path: str) -> bytes:
        content = self.public.fetch(path, LARGEST_NOTE)
        if content is None:
            raise BrokenLogError(f"{self.place(path)} is missing; restore the log from a copy, or run `stillwatch log recover`")
        return content


def split_pending(pending: Sequence[tuple[int, bytes]], place: str) -> list[tuple[int, bytes]]:
    """(index, record) of bundles that were noted as pending. Raises BrokenLogError for gaps and torn ones."""
    found: list[tuple[int, bytes]] = []
    for first, data in pending:
        if found and first != found[-1][0] + 1:
            raise BrokenLogError(f"{place} has a gap before record {first}; restore it from a copy")
        found += ((first + number, record) for number, record in enumerate(records_of(data, place)))
    return found
