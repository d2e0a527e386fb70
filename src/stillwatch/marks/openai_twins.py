"""Twins for any endpoint that speaks the OpenAI chat or completions format; the client is given, and nothing is imported for it."""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from stillwatch.marks.twins import DEFAULT_PATIENCE_S, Asked, Served, TwinKey, serve_async

Body = Mapping[str, Any]
Client = Callable[[dict[str, Any]], Awaitable[Body]]
"""Sends a request's body and gives the response's body; it raises where the endpoint fails."""


def unsuitable(body: Body) -> str:
    """Why a request is not paired, read from the request alone; empty where it may be.

    A stream is served before its end is known, several choices are no single answer, and with a seed or at temperature 0 both answers
    would be the same.
    """
    if body.get("stream"):
        return "the answer is streamed"
    if body.get("n") not in (None, 1):
        return "several choices are asked for"
    if body.get("seed") is not None:
        return "the request fixes a seed"
    if body.get("temperature") == 0:
        return "the temperature is 0"
    return ""


def answer_text(response: Body) -> str | None:
    """The text of a response's only choice; None where it is a tool call, a refusal field or of another form."""
    choices = response.get("choices")
    if not isinstance(choices, Sequence) or len(choices) != 1 or not isinstance(choices[0], Mapping):
        return None
    message = choices[0].get("message")
    if isinstance(message, Mapping):
        if message.get("tool_calls") or message.get("function_call"):
            return None
        text = message.get("content")
    else:
        text = choices[0].get("text")
    return text if isinstance(text, str) else None


def prompt_text(body: Body) -> str:
    """The messages, or the prompt, as JSON text that is the same for the same content."""
    return json.dumps(body.get("messages", body.get("prompt")), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


async def serve_chat(
    client: Client,
    body: Body,
    *,
    request_id: str,
    account_id: str | None,
    at: str,
    twin_key: TwinKey,
    patience_s: float = DEFAULT_PATIENCE_S,
) -> Served[Body]:
    """The response to serve to a request of an OpenAI-compatible endpoint; send `response`, then append `pair` to the pairs file.

    Args:
        client: see `Client`; it must not keep answers, or both would be the same.
        body: of the request; each call gets a copy of its own.
        request_id: of the gateway's making, unique.
        account_id: the billing identity.
        at: the time, ISO 8601.
        twin_key: see there.
        patience_s: seconds to wait for the second answer once the first is there.

    Whatever the first call raises is raised; the second one's failures cost the pair alone.
    """

    async def sample() -> Body:
        return await client(copy.deepcopy(dict(body)))

    reason = unsuitable(body)
    if reason:
        return Served(response=await sample(), reason=reason)
    model = body.get("model")
    asked = Asked(
        request_id=request_id,
        prompt=prompt_text(body),
        at=at,
        account_id=account_id,
        model=model if isinstance(model, str) else None,
    )
    return await serve_async(sample, text=answer_text, twin_key=twin_key, asked=asked, patience_s=patience_s)
