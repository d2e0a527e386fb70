"""Token ids of texts by a tokenizer file on disk; nothing is fetched and nothing in it is run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from stillwatch.errors import MissingExtraError, UnreadableInputError
from stillwatch.screen.judging import Encode


def load_tokenizer(path: Path) -> tuple[Encode, str]:
    """What encodes texts, without special tokens, and the sha256 of the file.

    Raises MissingExtraError without the tokenizers library, UnreadableInputError for a file that is no tokenizer.json.
    """
    try:
        from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        raise MissingExtraError("tokenizers", extra="models") from None
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        tokenizer = Tokenizer.from_file(str(path))
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name the model's tokenizer.json") from None
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise UnreadableInputError(f"{path} is no tokenizer.json ({str(error)[:100]}); name the one of the marked model") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def encode(texts: list[str]) -> Sequence[Sequence[int]]:
        return [found.ids for found in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return encode, digest
