"""Commitments to the cells of an exhibit, so that any of them can be withheld and all that is left is still the same exhibit. Pure.

A cell is hashed with 32 bytes of salt, its row over its cells, the exhibit over its rows. Who sees the hash of a cell without its salt
learns nothing of it; who sees salt and value can tell that they are what was committed to.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from stillwatch.ledger.canonical import canonical_json
from stillwatch.records.cases import CaseExhibit, Value
from stillwatch.sealing.refusals import SealError

SALT_BYTES = 32
_CELL = b"stillwatch case cell v1\0"
_ROW = b"stillwatch case row v1\0"
_EXHIBIT = b"stillwatch case exhibit v1\0"
_EVIDENCE = b"stillwatch case evidence v1\0"
_SALT = b"stillwatch case salt v1\0"
_DIGEST = b"stillwatch case custody v1\0"


def cell_hash(salt: bytes, uid: str, row: int, column: str, value: Value) -> bytes:
    """Commitment to the value of one cell in its place: exhibit, row from 0, column.

    Assumption: SHA-256 is collision resistant, and with 32 unknown bytes before it hides what follows.
    """
    return hashlib.sha256(_CELL + salt + canonical_json([uid, row, column, value])).digest()


def row_hash(cells: Iterable[bytes]) -> bytes:
    """Of a row, over the hashes of its cells in the order of the columns."""
    return hashlib.sha256(_ROW + b"".join(cells)).digest()


def exhibit_root(rows: Iterable[bytes]) -> str:
    """Of an exhibit, over the hashes of its rows in order; 64 hexadecimal digits."""
    digest = hashlib.sha256(_EXHIBIT)
    for row in rows:
        digest.update(row)
    return digest.hexdigest()


def evidence_hash(roots: Sequence[str]) -> str:
    """Of all exhibits of a case in order; 64 hexadecimal digits. The last event of custody ends in it."""
    return hashlib.sha256(_EVIDENCE + b"".join(bytes.fromhex(root) for root in roots)).hexdigest()


def salt_of(key: bytes, uid: str, row: int, column: str, value: Value) -> bytes:
    """The salt of a cell. It depends on the value too, so that what is disclosed of one state of a case never opens another one."""
    return hmac.digest(key, _SALT + canonical_json([uid, row, column, value]), "sha256")


def check_key(key: bytes) -> None:
    """Nothing for a key of the length that salts are made with; else SealError."""
    if len(key) != SALT_BYTES:
        raise SealError(f"the case's salt key has {len(key)} bytes, {SALT_BYTES} random ones were expected; make it with the case")


def evidence_digest(key: bytes, exhibits: Sequence[CaseExhibit]) -> str:
    """Keyed hash of the exhibits as they are, for events of custody; 64 hexadecimal digits.

    It is keyed, because a plain hash over few unknown cells can be tried out. Whoever holds the case's key can compute it again.
    """
    check_key(key)
    digest = hmac.new(key, _DIGEST, "sha256")
    for exhibit in exhibits:
        columns = [[one.name, one.type.value, one.identifies and one.identifies.value, one.text] for one in exhibit.columns]
        data = None if exhibit.data is None else hashlib.sha256(exhibit.data).hexdigest()
        head = canonical_json([exhibit.uid, exhibit.kind.value, exhibit.title, exhibit.shows, exhibit.origin, columns, data])
        digest.update(len(head).to_bytes(8, "big") + head + len(exhibit.rows).to_bytes(8, "big"))
        for row in exhibit.rows:
            line = canonical_json(list(row))
            digest.update(len(line).to_bytes(8, "big") + line)
    return digest.hexdigest()
