"""JSON over HTTP from a host that may lie, stall, cut off or flood: bounded in size and time, retried, never redirected."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from stillwatch.errors import UsageError
from stillwatch.provenance.suspects import AnswerError, SuspectError, shown

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


class _Bounded(io.RawIOBase):
    """A socket that is read until a moment and no longer, headers included: each read alone may be short, and so many may take for ever."""

    def __init__(self, sock: socket.socket, until: float, clock: Callable[[], float]) -> None:
        self._sock, self._until, self._clock = sock, until, clock
        # keeps the socket open where the library lets go of it before the answer is read
        self._held = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """What is there, before the moment."""
        left = self._until - self._clock()
        if left <= 0.0:
            raise http.client.HTTPException("the answer was not complete in time")
        self._sock.settimeout(left)
        return self._held.readinto(buffer) or 0

    def close(self) -> None:
        """The socket too."""
        self._held.close()
        super().close()

    def makefile(self, _mode: str = "rb", *_: Any) -> io.BufferedReader:
        """What a response reads from."""
        return io.BufferedReader(self)


def _opener(until: float, clock: Callable[[], float]) -> urllib.request.OpenerDirector:
    """Opens addresses whose answers are read until a moment; redirects are not followed."""

    def bounded(kind: type[http.client.HTTPConnection]) -> Callable[..., http.client.HTTPConnection]:
        def connection(*given: Any, **named: Any) -> http.client.HTTPConnection:
            made: Any = kind(*given, **named)
            made.response_class = lambda sock, **how: http.client.HTTPResponse(cast("Any", _Bounded(sock, until, clock)), **how)
            return made

        return connection

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(cast("Any", bounded(http.client.HTTPConnection)), req)

    class Encrypted(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(cast("Any", bounded(http.client.HTTPSConnection)), req, context=ssl.create_default_context())

    return urllib.request.build_opener(_NoRedirect, Plain, Encrypted)


def address_fault(url: str) -> str:
    """What is wrong with the address of an endpoint, in words; empty for a usable one."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, named = parts.hostname, parts.username is not None or parts.password is not None
        _ = parts.port
    except ValueError as error:
        return f"is no address ({error})"
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or any(ord(sign) <= 32 for sign in url):
        return "is no address with https:// or http://"
    if named or parts.query or parts.fragment:
        return "holds a name, a password or a query; a bearer token stands in the environment"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How an endpoint is spoken to.

    Attributes:
        url: base, with http or https.
        key: bearer token; empty: none. Never shown.
        timeout_s: for a whole answer, headers included.
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
        if fault := address_fault(self.url):
            # not shown: it may hold a password
            raise UsageError(f"the url of the endpoint {fault}; give https:// or http://, the host, and the path up to and with /v1")

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
                reason = f"HTTP status {error.code}{_advice(error.code)}"
                if error.code not in _AGAIN:
                    break
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = f"{type(error).__name__}: {shown(error)}"
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
        with _opener(until, self.clock).open(request, timeout=self.timeout_s) as response:
            declared = response.headers.get("Content-Length")
            parts: list[bytes] = []
            size = 0
            while part := response.read1(_CHUNK):
                parts.append(part)
                size += len(part)
                if size > LARGEST_ANSWER:
                    raise AnswerError(f"an answer is longer than {LARGEST_ANSWER:,} bytes; it is left out")
            if declared is not None and declared.isascii() and declared.isdigit() and size < int(declared):
                raise http.client.IncompleteRead(b"", int(declared) - size)
        return b"".join(parts)


def _advice(status: int) -> str:
    """What to do about a host that will never answer us so."""
    if status in (401, 403):
        return ", it wants another bearer token: set STILLWATCH_SUSPECT_KEY, or STILLWATCH_TEACHER_KEY for a teacher"
    if 300 <= status < 400:
        return ", it points elsewhere, which is not followed: give the address itself"
    return ", it has no such address: the url goes up to and with /v1" if status == 404 else ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise AnswerError("an answer is not JSON; it is left out") from None
    if not isinstance(value, dict):
        raise AnswerError("an answer is JSON, but no object; it is left out")
    return cast("dict[str, Any]", value)
