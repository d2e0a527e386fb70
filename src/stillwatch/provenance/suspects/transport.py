"""JSON over HTTP from a host that may lie, stall, cut off or flood: bounded in size and time, retried, never redirected."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from stillwatch.errors import UsageError
from stillwatch.provenance.suspects import AnswerError, SuspectError

LARGEST_ANSWER = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_REFUSED = frozenset({400, 413, 422})
"""The host takes us and not this question, such as one that is too long for it."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would send our question, and our key, to somebody else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Never."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How an endpoint is spoken to.

    Attributes:
        url: base, with http or https.
        key: bearer token; empty: none. Never shown.
        timeout_s: without a byte, and for a whole answer.
        tries: attempts at one question.
        pause_s: before the second attempt, doubled before each later one.
        sleep, clock: of the process; tests give their own.
    """

    url: str
    key: str = field(default="", repr=False)
    timeout_s: float = 120.0
    tries: int = 4
    pause_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise UsageError(f"the suspect's url is {self.url[:100]!r}; an address with https:// or http:// was expected")

    def post(self, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that the endpoint answers.

        Raises AnswerError for an answer that is no JSON object or too large, or a question that the endpoint refuses as such;
        SuspectError where all attempts failed, or it refuses us.
        """
        body = json.dumps(question).encode()
        reason, attempt = "", 0
        for attempt in range(self.tries):
            if attempt:
                self.sleep(self.pause_s * 2 ** (attempt - 1))
            try:
                return _object(self._once(path, body))
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in _REFUSED:
                    raise AnswerError(f"the endpoint refuses the question (HTTP status {error.code}); it is left out") from None
                reason = f"HTTP status {error.code}"
                if error.code not in _AGAIN:
                    break
            except (OSError, http.client.HTTPException) as error:
                reason = f"{type(error).__name__}: {str(error)[:200]}"
        message = (
            f"{self.url}{path}: no answer after {attempt + 1} of {self.tries} tries ({reason}); what was measured so far is kept, "
            "run the same command again to go on"
        )
        raise SuspectError(message)

    def _once(self, path: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url.rstrip("/") + path, data=body, headers=headers, method="POST")  # noqa: S310 - checked above
        until = self.clock() + self.timeout_s
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=self.timeout_s) as response:
            declared = response.headers.get("Content-Length")
            parts: list[bytes] = []
            size = 0
            # read1 gives what is there, so that a host that drips bytes is seen to drip
            while part := response.read1(_CHUNK):
                parts.append(part)
                size += len(part)
                if size > LARGEST_ANSWER:
                    raise AnswerError(f"an answer is longer than {LARGEST_ANSWER:,} bytes; it is left out")
                if self.clock() > until:
                    raise http.client.HTTPException(f"the answer was not complete after {self.timeout_s:g} s")
            if declared is not None and declared.isascii() and declared.isdigit() and size < int(declared):
                raise http.client.IncompleteRead(b"", int(declared) - size)
        return b"".join(parts)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise AnswerError("an answer is not JSON; it is left out") from None
    if not isinstance(value, dict):
        raise AnswerError("an answer is JSON, but no object; it is left out")
    return cast("dict[str, Any]", value)
