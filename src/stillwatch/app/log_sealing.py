"""Contents of an evidence log brought under the vault's present key: plain ones are sealed, sealed ones wrapped anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stillwatch.app.recording import LOG_PLACE, PATIENCE_S, writing
from stillwatch.govern.vault import Box, Vault, sealed_under
from stillwatch.ledger.contents import FILE, SEALED, SEALING, Contents
from stillwatch.ledger.files import only_writer
from stillwatch.ledger.reading import PRIVATE

BATCH = 1024
"""Contents that are changed in one transaction."""


def encrypt_log(folder: Path, vault: Vault) -> dict[str, Any]:
    """Seal every plain content of a log, and bring the others under the key in use; counts that add up to `contents`.

    Records, commitments and proofs stay what they are. Everything that is changed is opened once on the way. What is done stays done: an
    interrupted run is run again.

    Raises VaultError for a content that cannot be opened, BusyLogError while another process writes.
    """
    with writing(folder, None, patience_s=PATIENCE_S):
        pass  # what a crash left is finished first
    box = vault.box(LOG_PLACE)
    counts = dict[str, int](sealed=0, rewrapped=0, already=0)
    with only_writer(folder), Contents(folder / PRIVATE / FILE, writable=True, box=box) as contents:
        with contents.changing():
            contents.put_state(SEALING, box.name.encode())
        start = 0
        while batch := contents.stored(start, BATCH):
            with contents.changing():
                for index, stored in batch:
                    counts[_under(contents, box, index, stored)] += 1
            start = batch[-1][0] + 1
    return {"log": str(folder), "contents": sum(counts.values()), **counts, "key_id": vault.key_id}


def _under(contents: Contents, box: Box, index: int, stored: bytes) -> str:
    here = box.at(str(index))
    if not stored.startswith(SEALED):
        contents.replace(index, here.seal(stored))
        return "sealed"
    if sealed_under(stored) == box.vault.key_id:
        return "already"
    here.open(stored)
    contents.replace(index, here.rewrap(stored))
    return "rewrapped"
