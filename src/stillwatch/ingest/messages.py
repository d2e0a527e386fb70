"""Reads the request, answer and usage shapes of the common model APIs into columns of the exchanges table.

What the caller wrote (parameters, user fields) is read leniently: a value of the wrong type is null. Otherwise a caller could send
odd parameters to have its rows refused and stay unseen. What the provider wrote (usage, times, ids) is passed on and checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]

_SYSTEM_ROLES = frozenset({"system", "developer"})
_INT64_MAX = 2**63 - 1


def mapping(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def first(values: object) -> dict[str, Any]:
    """The first object of an array, else an empty one."""
    return mapping(values[0]) if isinstance(values, list) and values else {}


def label(value: object) -> str | None:
    """A caller's string or integer as a string; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def pick(*values: object) -> Any:
    """The first value that is neither null nor an empty string."""
    for value in values:
        if value is not None and value != "":
            return value
    return None


# --- parameters of a request ---------------------------------------------------------------------------------------------------------


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _INT64_MAX else None


def _seed(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT64_MAX else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > _INT64_MAX:
        return None
    return float(value) if math.isfinite(value) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _size(value: object) -> int | None:
    return len(value) if isinstance(value, (dict, list)) else None


def _format(value: object) -> str | None:
    return label(mapping(value).get("type")) if isinstance(value, dict) else label(value)


def _effort(value: object) -> str | None:
    if isinstance(value, dict):
        return label(pick(value.get("effort"), value.get("thinkingLevel"), value.get("type")))
    return label(value)


_PARAMETERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "model": ("model_requested", label),
    "stream": ("stream", _flag),
    "temperature": ("temperature", _number),
    "top_p": ("top_p", _number),
    "topP": ("top_p", _number),
    "n": ("n", _count),
    "candidateCount": ("n", _count),
    "max_tokens": ("max_tokens", _count),
    "max_completion_tokens": ("max_tokens", _count),
    "max_output_tokens": ("max_tokens", _count),
    "max_tokens_to_sample": ("max_tokens", _count),
    "max_gen_len": ("max_tokens", _count),
    "maxTokens": ("max_tokens", _count),
    "maxOutputTokens": ("max_tokens", _count),
    "maxTokenCount": ("max_tokens", _count),
    "seed": ("seed", _seed),
    "top_logprobs": ("top_logprobs", _count),
    "responseLogprobs": ("logprobs", _flag),
    "logit_bias": ("logit_bias_size", _size),
    "tools": ("tools_count", _size),
    "functions": ("tools_count", _size),
    "response_format": ("response_format", _format),
    "responseMimeType": ("response_format", label),
    "reasoning_effort": ("reasoning_effort", _effort),
    "reasoning": ("reasoning_effort", _effort),
    "thinking": ("reasoning_effort", _effort),
    "thinkingConfig": ("reasoning_effort", _effort),
    "user": ("end_user_id", label),
    "safety_identifier": ("end_user_id", label),
}
PARAMETER_COLUMNS = tuple(dict.fromkeys((*(column for column, _ in _PARAMETERS.values()), "logprobs")))
"""The columns that `parameters` can fill."""


def parameters(body: dict[str, Any]) -> Row:
    """Sampling parameters and the like of one request body, whatever the API calls them."""
    row: Row = {}
    for key, value in body.items():
        known = _PARAMETERS.get(key)
        if known is not None and value is not None:
            read = known[1](value)
            if read is not None:
                row[known[0]] = read
        elif key == "logprobs":
            _read_logprobs(value, row)
        elif key in {"inferenceConfig", "generationConfig", "generation_config", "textGenerationConfig", "toolConfig"}:
            row |= parameters(mapping(value))
    return row


def _read_logprobs(value: object, row: Row) -> None:
    """A boolean in chat APIs; in the older completion API and in Gemini, how many alternatives."""
    if isinstance(value, bool):
        row["logprobs"] = value
    elif (alternatives := _count(value)) is not None:
        row.setdefault("logprobs", True)
        row["top_logprobs"] = alternatives


# --- text -----------------------------------------------------------------------------------------------------------------------------


def text_of(content: object) -> str | None:
    """The text of a message's content: a string, or the text parts of an array; None when there is none."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = content.get("parts", [content])
    texts = [text for part in sequence(content) if (text := _part_text(part)) is not None]
    return "\n".join(texts) if texts else None


def _part_text(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or part.get("thought") or part.get("type") in {"thinking", "reasoning"}:
        return None
    for key in ("text", "content"):
        if isinstance(part.get(key), str) and part.get("type") not in {"tool_result", "tool_call_response"}:
            return part[key]
    return None


def reasoning_of(content: object) -> str | None:
    """The reasoning parts of a message's content; None when there are none."""
    parts = sequence(mapping(content).get("parts")) if isinstance(content, dict) else sequence(content)
    texts = [text for part in parts if (text := _part_reasoning(mapping(part))) is not None]
    return "\n".join(texts) if texts else None


def _part_reasoning(part: dict[str, Any]) -> str | None:
    bedrock = mapping(part.get("reasoningContent"))
    if bedrock:
        return label(mapping(bedrock.get("reasoningText")).get("text"))
    if part.get("thought") or part.get("type") in {"thinking", "reasoning"}:
        return label(pick(part.get("thinking"), part.get("text"), part.get("content"), text_of(part.get("summary"))))
    return None


def conversation(messages: object, system: object = None) -> Row:
    """system_text, prompt_text and turns of the messages that led to an answer.

    Args:
        messages: an array of {role, content} (or {role, parts}), or one prompt as a string.
        system: a system prompt that stands outside of the messages.
    """
    if isinstance(messages, str):
        return _present({"prompt_text": messages, "system_text": text_of(system), "turns": 1})
    if not isinstance(messages, list) or not messages:
        return _present({"system_text": text_of(system)})
    standing = [text] if (text := text_of(system)) is not None else []
    prompt: str | None = None
    for message in messages:
        if not isinstance(message, dict):
            prompt = message if isinstance(message, str) else prompt
            continue
        text = text_of(message.get("content", message.get("parts")))
        role = message.get("role", "user")
        if text is None:
            continue
        if role in _SYSTEM_ROLES:
            standing.append(text)
        elif role in {"user", "human"}:
            prompt = text
    return _present({"system_text": "\n".join(standing) if standing else None, "prompt_text": prompt, "turns": len(messages)})


def request(body: dict[str, Any]) -> Row:
    """Parameters and conversation of one request body, of any of the common APIs."""
    asked = pick(body.get("messages"), body.get("contents"), body.get("prompt"), body.get("inputText"), body.get("input"))
    system = pick(body.get("system"), body.get("systemInstruction"), body.get("system_instruction"), body.get("instructions"))
    return parameters(body) | conversation(asked, system)


def _present(row: Row) -> Row:
    return {key: value for key, value in row.items() if value is not None}


# --- answers --------------------------------------------------------------------------------------------------------------------------


def answer(body: object) -> Row:
    """Text, reasoning, finish reason, model and usage of one response body, of any of the common APIs.

    Of several choices the first is read. An array is taken as the chunks of a streamed answer.
    """
    if isinstance(body, list):
        return _streamed(body)
    if isinstance(body, str):
        return {"response_text": body}
    body = mapping(body)
    row = usage(pick(body.get("usage"), body.get("usageMetadata"), body.get("usage_metadata")))
    for shape, read in _SHAPES.items():
        if body.get(shape):
            row |= _present(read(body))
            break
    served = pick(body.get("model"), body.get("modelVersion"))
    return row | ({"model_served": served} if isinstance(served, str) else {})


def message_fields(message: dict[str, Any]) -> Row:
    """response_text and reasoning_text of an assistant message."""
    content = message.get("content", message.get("parts"))
    thought = pick(message.get("reasoning_content"), message.get("reasoning"), reasoning_of(content))
    return {"response_text": text_of(content), "reasoning_text": label(thought)}


def _from_choices(body: dict[str, Any]) -> Row:
    choice = first(body["choices"])
    fields = message_fields(mapping(choice.get("message"))) if "message" in choice else {"response_text": label(choice.get("text"))}
    several = len(sequence(body["choices"]))
    return {**fields, "finish_reason": label(choice.get("finish_reason")), "n": several if several > 1 else None}


def _from_candidates(body: dict[str, Any]) -> Row:
    candidate = first(body["candidates"])
    content = candidate.get("content")
    several = len(sequence(body["candidates"]))
    return {
        "response_text": text_of(content),
        "reasoning_text": reasoning_of(content),
        "finish_reason": label(candidate.get("finishReason")),
        "n": several if several > 1 else None,
    }


def _from_content(body: dict[str, Any]) -> Row:
    return {**message_fields(body), "finish_reason": label(pick(body.get("stop_reason"), body.get("finish_reason")))}


def _from_output(body: dict[str, Any]) -> Row:
    output = body["output"]
    if isinstance(output, dict):  # Converse
        return {**message_fields(mapping(output.get("message"))), "finish_reason": label(body.get("stopReason"))}
    items = [mapping(item) for item in sequence(output)]  # the Responses API
    texts = [text for item in items if item.get("type") == "message" and (text := text_of(item.get("content"))) is not None]
    return {
        "response_text": "\n".join(texts) if texts else None,
        "reasoning_text": reasoning_of(items),
        "finish_reason": label(body.get("status")),
    }


def _from_results(body: dict[str, Any]) -> Row:
    entry = first(next(body[key] for key in ("results", "outputs", "generations") if body.get(key)))
    reason = pick(entry.get("completionReason"), entry.get("stop_reason"), entry.get("finish_reason"))
    return {"response_text": label(pick(entry.get("outputText"), entry.get("text"))), "finish_reason": label(reason)}


def _from_plain(body: dict[str, Any]) -> Row:
    text = pick(body.get("completion"), body.get("generation"), body.get("text"))
    return {"response_text": label(text), "finish_reason": label(pick(body.get("stop_reason"), body.get("finish_reason")))}


_SHAPES: dict[str, Callable[[dict[str, Any]], Row]] = {
    "choices": _from_choices,
    "candidates": _from_candidates,
    "content": _from_content,
    "output": _from_output,
    "results": _from_results,
    "outputs": _from_results,
    "generations": _from_results,
    "completion": _from_plain,
    "generation": _from_plain,
    "text": _from_plain,
}


def _streamed(chunks: Iterable[object]) -> Row:
    """The answer that a list of stream chunks adds up to."""
    row: Row = {}
    texts: list[str] = []
    thoughts: list[str] = []
    for entry in chunks:
        chunk = mapping(mapping(entry).get("message")) or mapping(entry)  # message_start holds the usage so far
        piece = answer(chunk) if any(chunk.get(shape) for shape in ("candidates", "completion", "generation", "outputs")) else _delta(chunk)
        texts.append(piece.pop("response_text", None) or "")
        thoughts.append(piece.pop("reasoning_text", None) or "")
        row |= _present(piece)
    return row | _present({"response_text": "".join(texts) or None, "reasoning_text": "".join(thoughts) or None})


def _delta(chunk: dict[str, Any]) -> Row:
    """One chunk of an Anthropic, Converse or OpenAI stream."""
    choice = first(chunk.get("choices"))
    inner = mapping(chunk.get("contentBlockDelta"))
    delta = mapping(pick(choice.get("delta"), inner.get("delta"), chunk.get("delta")))
    counts = pick(chunk.get("usage"), mapping(chunk.get("metadata")).get("usage"))
    reason = pick(choice.get("finish_reason"), delta.get("stop_reason"), mapping(chunk.get("messageStop")).get("stopReason"))
    return {
        **usage(counts),
        "response_text": label(pick(delta.get("content"), delta.get("text"))),
        "reasoning_text": label(pick(delta.get("reasoning_content"), delta.get("thinking"))),
        "finish_reason": label(reason),
        "model_served": label(chunk.get("model")),
    }


# --- usage ----------------------------------------------------------------------------------------------------------------------------

_USAGE = {
    **dict.fromkeys(("prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "inputTokenCount"), "input_tokens"),
    **dict.fromkeys(("completion_tokens", "output_tokens", "outputTokens", "candidatesTokenCount", "outputTokenCount"), "output_tokens"),
    **dict.fromkeys(("cached_tokens", "cache_read_input_tokens", "cacheReadInputTokens"), "cached_input_tokens"),
    **dict.fromkeys(("cachedContentTokenCount", "cacheReadInputTokenCount"), "cached_input_tokens"),
    **dict.fromkeys(("reasoning_tokens", "thoughtsTokenCount"), "reasoning_tokens"),
}
_USAGE_DETAILS = frozenset({"prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details"})
USAGE_COLUMNS = tuple(dict.fromkeys(_USAGE.values()))
"""The columns that `usage` can fill."""
ANSWER_COLUMNS = ("response_text", "reasoning_text", "finish_reason", "n", "model_served", *USAGE_COLUMNS)
"""The columns that `answer` can fill."""
CONVERSATION_COLUMNS = ("system_text", "prompt_text", "turns")
"""The columns that `conversation` can fill."""


def usage(counts: object) -> Row:
    """Token counts, as the provider gives them, under any of the common names."""
    row: Row = {}
    if isinstance(counts, dict):
        for key, value in counts.items():
            if key in _USAGE and value is not None:
                row[_USAGE[key]] = value
            elif key in _USAGE_DETAILS:
                row |= usage(value)
        _with_thoughts(row, counts)
    return row


def _with_thoughts(row: Row, counts: dict[Any, Any]) -> None:
    """Gemini counts thoughts beside the candidates; everybody else counts them as output, and so does the exchanges table."""
    thoughts, candidates = counts.get("thoughtsTokenCount"), counts.get("candidatesTokenCount")
    if type(thoughts) is int and type(candidates) is int:
        row["output_tokens"] = candidates + thoughts
