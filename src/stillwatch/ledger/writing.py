"""Appending: one batch is one transaction, then tiles, then the checkpoint.

A process that is killed at any point leaves a batch that is either not there, or that the next opening of the log finishes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from stillwatch.errors import OutputError
from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint
from stillwatch.ledger.contents import FILE, SEALED, Contents, OpeningBox
from stillwatch.ledger.entries import LARGEST_CONTENT, SALT_BYTES, PlainEntries, commitment, new_entry
from stillwatch.ledger.files import Folder, make_folder, only_writer
from stillwatch.ledger.growing import GrowingTree, Tile
from stillwatch.ledger.merkle import EMPTY_ROOT, leaf_hash
from stillwatch.ledger.notes import LARGEST_NOTE, Kind, VerifierKey, parse_key, parse_note
from stillwatch.ledger.reading import CHECKPOINT, KEYS, PRIVATE, PUBLIC, split_pending
from stillwatch.ledger.refusals import BrokenLogError, CanonicalError, NoteError
from stillwatch.ledger.rotations import KIND as ROTATION
from stillwatch.ledger.rotations import ROTATIONS
from stillwatch.ledger.signing import NoteSigner, sign_note
from stillwatch.ledger.tiles import ENTRIES, HEIGHT, WIDTH, bundle, fetch_hashes, fetch_records, records_of, tile_path

LARGEST_BATCH = 65_536
"""Records of one transaction; larger batches are cut, and each part is whole or not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is to be recorded.

    Attributes:
        kind: of the act.
        content: values for canonical JSON; what is committed to.
        concerns: indexes of earlier records that it speaks of.
    """

    kind: str
    content: object
    concerns: tuple[int, ...] = ()


@dataclass(slots=True)
class _Grown:
    """A tree after a batch, and the tiles that became full on the way."""

    tree: GrowingTree
    full: list[Tile]


def create_log(folder: Path, signers: Sequence[NoteSigner], *, at: datetime) -> None:
    """A new, empty log, signed. Raises OutputError where the folder holds anything, or cannot be made."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already and not empty; name a new folder for the log")
    make_folder(folder, mode=0o755)
    make_folder(folder / PRIVATE, mode=0o700)
    make_folder(folder / PUBLIC, mode=0o755)
    origin = signers[0].verifier.name
    note = sign_note(Checkpoint(origin=origin, size=0, root=EMPTY_ROOT), tuple(signers), time=int(at.timestamp())).content()
    with only_writer(folder), Contents(folder / PRIVATE / FILE, writable=True, make=True) as contents:
        with contents.changing():
            contents.put_state(CHECKPOINT, note)
            contents.put_state(KEYS, _key_lines(signers))
        public = Folder(folder / PUBLIC, private=False)
        public.write(KEYS, _key_lines(signers))
        public.write(CHECKPOINT, note)
        public.settle()


class LogWriter:
    """The one writer of a log; use it as a context manager.

    Opening it finishes what a crash left unfinished: a batch that was committed and not published, contents that were to be erased.

    Args:
        folder: of the log.
        signers: its keys; None: only to finish what was left, after which nothing can be appended.
        box: what contents are sealed with; None: they are plain, and a log that is sealed takes none.

    Attributes:
        size: records so far.
        recovered: records that a crash had left unpublished, and contents that it had left to be erased.

    Raises BusyLogError while another process writes, NoteError for another log's keys, BrokenLogError for a folder that contradicts itself.
    """

    def __init__(self, folder: Path, signers: Sequence[NoteSigner] | None, box: OpeningBox | None = None) -> None:
        self.folder = folder
        self._box = box
        self.signers = tuple(signers or ())
        self.recovered = (0, 0)
        self._public = Folder(folder / PUBLIC, private=False)
        self._stack = ExitStack()
        self._failed = False

    def __enter__(self) -> LogWriter:
        with ExitStack() as stack:
            stack.enter_context(only_writer(self.folder))
            self._contents = stack.enter_context(Contents(self.folder / PRIVATE / FILE, writable=True, box=self._box))
            self._open()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def size(self) -> int:
        """Records so far."""
        return self._tree.size

    @property
    def checkpoint(self) -> bytes:
        """The newest signed checkpoint."""
        return self._note

    def append(self, acts: Iterable[Act], *, at: datetime, erases: Sequence[int] = ()) -> int:
        """Record acts; they are durable and published when this returns.

        At most LARGEST_BATCH acts are recorded together or not at all; more are cut into such parts.

        Args:
            acts: in order.
            at: when, UTC.
            erases: contents to erase once the acts are durable; give them with the one act that records it.

        Returns:
            Index of the first record.

        Raises CanonicalError for what cannot be recorded, OutputError and OSError where the disk fails. After an error of the disk the
        batch stands either wholly or not at all, as the message says, and this writer takes nothing more.
        """
        first = self.size
        waiting = iter(acts)
        while batch := list(islice(waiting, LARGEST_BATCH)):
            self._append(batch, self.signers, at, vkeys=(), erases=erases)
        return first

    def rotate(self, signers: Sequence[NoteSigner], act: Act, *, at: datetime) -> int:
        """Record the log's next keys, signed by the old and the new ones; from then on the new ones sign. Index of the record."""
        if {signer.verifier.name for signer in signers} != {self.signers[0].verifier.name}:
            raise NoteError(f"the new key is of another log than {self.signers[0].verifier.name}; make it under the log's name")
        if {signer.verifier for signer in signers} & {signer.verifier for signer in self.signers}:
            raise NoteError("the new key is the one in use; make another")
        first = self.size
        vkeys = tuple(signer.verifier.text() for signer in signers)
        self._append([Act(kind=ROTATION, content=act.content)], (*self.signers, *signers), at, vkeys=vkeys)
        self.signers = tuple(signers)
        return first

    def _append(
        self, acts: Sequence[Act], signers: tuple[NoteSigner, ...], at: datetime, *, vkeys: tuple[str, ...], erases: Sequence[int] = ()
    ) -> None:
        if self._failed or not signers:
            raise OutputError(f"{self.folder} takes nothing more from this writer; open the log again, with its key")
        records, openings = self._sealed(acts, at, vkeys)
        bundles = self._bundled(records)
        grown = self._grown(records)
        checkpoint = Checkpoint(origin=signers[0].verifier.name, size=grown.tree.size, root=grown.tree.root())
        note = sign_note(checkpoint, signers, time=int(at.timestamp())).content()
        self._failed = True  # until all of it went well
        with self._contents.changing():
            self._contents.put(openings)
            self._contents.put_pending(bundles)
            self._contents.put_erasing(erases)
            self._contents.put_state(CHECKPOINT, note)
            if vkeys:
                self._contents.put_state(ROTATIONS, note)
                self._contents.put_state(KEYS, (self._contents.state(KEYS) or b"") + "".join(f"{vkey}\n" for vkey in vkeys).encode())
        try:
            self._publish(grown, bundles, note)
            self._contents.erase_noted()
        except BaseException as error:
            error.add_note("the batch itself is recorded: do not append it again; the next command that opens the log finishes it")
            raise
        self._failed = False

    def _sealed(self, acts: Sequence[Act], at: datetime, vkeys: tuple[str, ...]) -> tuple[list[bytes], list[tuple[int, bytes]]]:
        """Entries and openings of a batch."""
        plain = PlainEntries(at)
        salts = b"".join(_salts(len(acts)))
        records: list[bytes] = []
        openings: list[tuple[int, bytes]] = []
        for number, act in enumerate(acts):
            content = canonical_json(act.content)
            if len(content) > LARGEST_CONTENT:
                raise CanonicalError(
                    f"a {act.kind} has {len(content)} bytes, at most {LARGEST_CONTENT} can be recorded; record its sha256 instead"
                )
            salt = salts[number * SALT_BYTES : (number + 1) * SALT_BYTES]
            committed = commitment(salt, content)
            if act.concerns or vkeys:
                records.append(self._pointing(act, at, committed, vkeys))
            else:
                records.append(plain.record(act.kind, committed))
            openings.append((self.size + number, salt + content))
        return records, openings

    def _pointing(self, act: Act, at: datetime, committed: str, vkeys: tuple[str, ...]) -> bytes:
        """An entry that points to earlier records, or names keys."""
        if act.concerns and max(act.concerns) >= self.size:
            raise CanonicalError(f"a {act.kind} concerns record {max(act.concerns)}, and the log has {self.size}; name earlier records")
        return new_entry(act.kind, at, committed, concerns=act.concerns, vkeys=vkeys).content()

    def _grown(self, records: Sequence[bytes]) -> _Grown:
        sha256 = hashlib.sha256
        tree = self._tree.copy()
        return _Grown(tree=tree, full=list(tree.extend([sha256(b"\x00" + record).digest() for record in records])))

    def _bundled(self, records: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """(index of the first, bundle) of every bundle that the records change, with what stood in the first one before."""
        records = [*self._tail, *records]
        first = self.size - len(self._tail)
        return [(first + start, bundle(records[start : start + WIDTH])) for start in range(0, len(records), WIDTH)]

    def _publish(self, grown: _Grown, bundles: Sequence[tuple[int, bytes]], note: bytes) -> None:
        """Tiles, then keys, then the checkpoint, which is what makes them count."""
        size = grown.tree.size
        for first, content in bundles:
            self._public.write(tile_path(ENTRIES, first // WIDTH, min(WIDTH, size - first)), content)
        for tile in (*grown.full, *grown.tree.partial()):
            self._public.write(tile_path(tile.level, tile.index, len(tile.hashes)), tile.content())
        self._publish_keys()
        self._public.settle()
        self._public.write(CHECKPOINT, note)
        self._public.settle()
        self._remove_partial(grown)
        self._tree, self._note = grown.tree, note
        self._tail = records_of(bundles[-1][1], "the last bundle") if size % WIDTH else []

    def _remove_partial(self, grown: _Grown) -> None:
        """Partial tiles whose full one stands: it begins with the same, so that nobody needs them any longer."""
        for tile in grown.full:
            if tile.index == self._tree.size >> (HEIGHT * (tile.level + 1)):
                for level in (tile.level, ENTRIES)[: 2 if tile.level == 0 else 1]:
                    self._public.remove_folder(f"{tile_path(level, tile.index)}.p")

    def _publish_keys(self) -> None:
        for path, content in ((KEYS, self._contents.state(KEYS)), self._rotation()):
            if content and self._public.fetch(path, LARGEST_NOTE) != content:
                self._public.write(path, content)

    def _rotation(self) -> tuple[str, bytes | None]:
        note = self._contents.state(ROTATIONS)
        return (f"{ROTATIONS}/{_size_of(note)}" if note else ROTATIONS), note

    def _open(self) -> None:
        """Read the state, and finish what is unfinished."""
        committed = self._contents.state(CHECKPOINT)
        public = self._public.fetch(CHECKPOINT, LARGEST_NOTE)
        if committed is None or public is None:
            raise BrokenLogError(f"{self.folder} lacks its checkpoint; restore it from a copy")
        place = str(self.folder / PUBLIC / CHECKPOINT)
        stated = [parse_key(line) for line in (self._contents.state(KEYS) or b"").decode(errors="replace").splitlines()]
        self._check_key(stated)
        if self.signers:
            self._contents.check_box()
        target = open_checkpoint(committed, [signer.verifier for signer in self.signers] or stated, str(self._contents.path)).checkpoint
        now = open_checkpoint(public, stated, place).checkpoint
        if now.size > target.size or (now.size == target.size and now.root != target.root):
            raise BrokenLogError(
                f"{place} has {now.size} records and {self._contents.path} {target.size}: one of them was restored from an older copy; "
                "restore both from the same one"
            )
        self._tree = GrowingTree.read(self._public.fetch, now.size)
        self._tail = fetch_records(self._public.fetch, now.size // WIDTH, now.size) if now.size % WIDTH else []
        self._check_edge(now, place)
        self._note = public
        self._finish(now, target, committed)
        if self._contents.beyond(self.size):
            raise BrokenLogError(f"{self._contents.path} holds contents beyond the log's {self.size} records; restore it from a copy")

    def _check_key(self, stated: Sequence[VerifierKey]) -> None:
        """Nothing where the writer's key is the log's last one, or it has none; else NoteError."""
        present = [key for key in stated if key.kind is Kind.ED25519][-1:]
        if self.signers and [self.signers[0].verifier] != present:
            mine, known = self.signers[0].verifier, " ".join(f"{key.name} {key.key_id.hex()}" for key in present)
            raise NoteError(f"the key given ({mine.name} {mine.key_id.hex()}) is not the one in use ({known}); give the log's present key")

    def _check_edge(self, now: Checkpoint, place: str) -> None:
        leaves = fetch_hashes(self._public.fetch, 0, now.size // WIDTH, now.size) if self._tail else []
        if self._tree.root() != now.root or [leaf_hash(record) for record in self._tail] != leaves:
            raise BrokenLogError(
                f"the tiles beside {place} do not give its root; see `stillwatch log verify`, and restore them from a copy"
            )

    def _finish(self, now: Checkpoint, target: Checkpoint, committed: bytes) -> None:
        """Publish a batch that was committed before a crash, and erase what was to be erased."""
        unpublished = target.size - now.size
        if unpublished:
            pending = self._contents.pending()
            records = [record for index, record in split_pending(pending, str(self._contents.path)) if index >= now.size]
            grown = self._grown(records)
            if len(records) != unpublished or grown.tree.root() != target.root:
                raise BrokenLogError(
                    f"{self._contents.path} does not hold the {unpublished} records that it signed; restore it from a copy"
                )
            self._publish(grown, self._bundled(records), committed)
        elif self._tree.size:
            self._publish_keys()
            self._public.settle()
        self.recovered = (unpublished, self._contents.erase_noted())


def _salts(count: int) -> Iterator[bytes]:
    """Random salts, none of which looks like the mark of a sealed opening (one in 2^32 does)."""
    drawn = secrets.token_bytes(SALT_BYTES * count)
    for start in range(0, len(drawn), SALT_BYTES):
        salt = drawn[start : start + SALT_BYTES]
        while salt.startswith(SEALED):
            salt = secrets.token_bytes(SALT_BYTES)
        yield salt


def _key_lines(signers: Sequence[NoteSigner]) -> bytes:
    return "".join(f"{signer.verifier.text()}\n" for signer in signers).encode()


def _size_of(note: bytes) -> int:
    return parse_checkpoint(parse_note(note, "the last change of keys").text, "the last change of keys").size
