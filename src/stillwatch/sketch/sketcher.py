"""Exchanges with text in, sketched exchanges without text out: the kernel as a function over Arrow batches."""

from __future__ import annotations

import hashlib
import uuid

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.records.tables import SKETCHED
from stillwatch.sketch.codebook import DIMENSIONS, Codebook
from stillwatch.sketch.kernel import SLOTS, sketch_rows
from stillwatch.sketch.packing import packed
from stillwatch.sketch.phrases import language_table, phrase_table
from stillwatch.sketch.tokens import text_buffers

_SESSION_SHAPE = (
    r"^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$"
)
_SESSION_SAMPLE = ("0", "8")
"""Ids that end so are checked, an eighth of them: digests cost time, and which ids are checked must not depend on their neighbours."""

_NAMESPACES = (("url", uuid.NAMESPACE_URL), ("dns", uuid.NAMESPACE_DNS), ("oid", uuid.NAMESPACE_OID))
_UUID_HEX, _VERSION_DIGIT = 32, 12


class Sketcher:
    """A batch kernel: takes EXCHANGES, gives SKETCHED. Holds the codebook and the phrase table, and no state between batches."""

    def __init__(self, codebook: Codebook) -> None:
        self._tables = (
            *phrase_table(),
            language_table(),
            codebook.rarity,
            packed(codebook.projection),
            np.ascontiguousarray(codebook.centres.T),
        )

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The sketches of `batch`, row for row."""
        rows = batch.num_rows
        texts = [text_buffers(batch.column(name)) for name in ("prompt_text", "system_text", "response_text", "reasoning_text")]
        prompt, system, response, thinking = texts
        out = (
            np.zeros(rows, np.uint64),
            np.zeros(rows, np.uint64),
            np.zeros(rows, np.uint64),
            np.zeros((rows, SLOTS), np.uint64),
            np.zeros(rows, np.int64),
            np.zeros(rows, np.int16),
            np.zeros((rows, DIMENSIONS), np.int8),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.int8),
            np.zeros(rows, np.int8),
            np.zeros(rows, np.float32),
        )
        sketch_rows(prompt, system, response, thinking, self._tables, out)
        asked = ~prompt[2]
        answered = ~(response[2] | thinking[2])
        columns: dict[str, pa.Array] = {
            "prompt_chars": _array(np.diff(prompt[0]).astype(np.int32), asked),
            "response_chars": _array(np.diff(response[0]).astype(np.int32), ~response[2]),
            "prompt_key": _array(out[0].view(np.int64), asked),
            "prompt_bucket": _array(out[1].view(np.int64), asked),
            "system_key": _array(out[2].view(np.int64), ~system[2]),
            "wording": _lists(out[3], out[4], asked),
            "subject": _array(out[5], asked & answered),
            "embedding": _bytes(out[6], asked & answered),
            "elicits": _array(out[7], asked),
            "task": _array(out[8], asked),
            "language": _array(out[9], asked & answered),
            "reasoning_share": _array(out[10], answered),
            "session_rule": _session_rules(batch),
        }
        arrays = [columns[name] if name in columns else batch.column(name) for name in SKETCHED.names]
        return pa.RecordBatch.from_arrays(arrays, names=list(SKETCHED.names))


def _array(values: npt.NDArray[np.generic], absent: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=absent)


def _lists(slots: npt.NDArray[np.uint64], counts: npt.NDArray[np.int64], absent: npt.NDArray[np.bool_]) -> pa.Array:
    """[n, SLOTS] with `counts` filled as a list column; rows without text are null."""
    counts = np.where(absent, 0, counts)
    filled = np.arange(slots.shape[1]) < counts[:, None]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(slots[filled].view(np.int64)), mask=pa.array(absent))


def _bytes(vectors: npt.NDArray[np.int8], absent: npt.NDArray[np.bool_]) -> pa.Array:
    rows, width = vectors.shape
    offsets = pa.py_buffer(np.arange(0, (rows + 1) * width, width, dtype=np.int32))
    plain = pa.Array.from_buffers(pa.binary(), rows, [None, offsets, pa.py_buffer(vectors.tobytes())])
    return pc.if_else(pa.array(~absent), plain, pa.scalar(None, pa.binary()))


def _session_rules(batch: pa.RecordBatch) -> pa.Array:
    """How each session id was made from the prompt: the name of a digest, `none`, or null where it was not checked.

    A relay that names sessions by a digest of their content gives itself away: the same question gets the same session anywhere.
    """
    sessions = batch.column("session_id")
    if sessions.null_count == len(sessions):
        return pa.nulls(len(sessions), pa.string())
    sampled = pc.or_(*(pc.ends_with(sessions, last) for last in _SESSION_SAMPLE))
    rows = _true(pc.and_kleene(sampled, pc.is_valid(batch.column("prompt_text"))))
    rows = rows[_true(pc.match_substring_regex(sessions.take(pa.array(rows)), _SESSION_SHAPE))]
    rules = np.full(len(sessions), None, object)
    if len(rows):
        picked = [batch.column(name).take(pa.array(rows)).to_pylist() for name in ("session_id", "prompt_text")]
        rules[rows] = [session_rule(session, text) for session, text in zip(*picked, strict=True)]
    return pa.array(rules, pa.string())


def _true(condition: pa.Array) -> npt.NDArray[np.intp]:
    """Where a condition holds; an unknown one does not."""
    return np.flatnonzero(pc.fill_null(condition, fill_value=False).to_numpy(zero_copy_only=False))


def session_rule(session_id: str, text: str) -> str:
    """Which digest of `text` the session id, of one of the shapes above, is or begins with; `none` if no known one."""
    plain = session_id.lower().replace("-", "")
    data = text.encode()
    for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
        made = digest(data, usedforsecurity=False)
        if made.hexdigest().startswith(plain[:_UUID_HEX]):
            return f"{made.name}(prompt)"
    if len(plain) == _UUID_HEX and plain[_VERSION_DIGIT] == "5":
        for name, space in _NAMESPACES:
            if uuid.uuid5(space, text).hex == plain:
                return f"uuid5({name}, prompt)"
    return "none"
