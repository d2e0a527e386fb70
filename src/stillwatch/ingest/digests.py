"""Digests of whole files, made one after the other beside everything else: a digest takes as long as a look at the rows."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from stillwatch.errors import UnreadableInputError
from stillwatch.ingest.inputs import InputFile

_READ_BLOCK = 1 << 22


class Digests:
    """Begins with the first file at once; leaving the block ends the work, however much of it is left."""

    def __init__(self, files: Sequence[InputFile]) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._made = {file.name: self._pool.submit(self._digest, file) for file in files}

    def of(self, file: InputFile) -> str:
        """sha256 of the file's bytes, in hexadecimal digits; UnreadableInputError where they cannot be read."""
        try:
            return self._made[file.name].result()
        except OSError as error:
            raise UnreadableInputError(f"{file.name}: cannot be read ({type(error).__name__}); check that it is still there") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _digest(self, file: InputFile) -> str:
        with file.path.open("rb") as stream:
            found = hashlib.sha256()
            while not self._stop.is_set() and (block := stream.read(_READ_BLOCK)):
                found.update(block)
        return found.hexdigest()
