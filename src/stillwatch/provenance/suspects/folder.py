"""A suspect as a Hugging Face model folder on disk: safetensors only, no code of the folder is run, nothing is fetched."""

from __future__ import annotations

import importlib
import json
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import MissingExtraError
from stillwatch.provenance.suspects import AnswerError, SuspectError, require_text, shown

_PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".h5", ".msgpack"})
_ADAPTER = "adapter_config.json"
_FETCHED = ("attn_implementation", "_attn_implementation", "experts_implementation")
"""Entries of a configuration that may name code of the model hub."""
_WEIGHTS, _INDEX = ".safetensors", ".safetensors.index.json"
_LARGEST_CONFIG, _LARGEST_INDEX = 10_000_000, 100_000_000


def check_folder(folder: Path) -> None:
    """Nothing where a folder holds a model in safetensors and nothing that would be run; else SuspectError."""
    if not folder.is_dir():
        raise SuspectError(f"{folder}: no folder; give the folder of a Hugging Face model")
    held = sorted(folder.rglob("*"))
    linked = [path for path in held if path.is_symlink() and path.is_dir()]
    if linked:
        # what lies behind it is neither looked at nor fixed by a seal
        raise SuspectError(f"{folder}: holds {linked[0].name}, a link to another folder; put that folder's files in its place")
    names = [path for path in held if path.is_file()]
    pickles = [path for path in names if path.suffix.lower() in _PICKLES]
    if pickles:
        message = (
            f"{folder}: holds {pickles[0].name}, a format that can run code when it is loaded; only safetensors are read. "
            "Convert the weights on a machine that you can throw away, and leave the old files out"
        )
        raise SuspectError(message)
    inside = [path.relative_to(folder) for path in names]
    visible = {file.as_posix() for file in inside if not any(part.startswith(".") for part in file.parts)}
    if not any(name.endswith(_WEIGHTS) for name in visible):
        raise SuspectError(f"{folder}: holds no *.safetensors file; only safetensors are read")
    if any(path.name == _ADAPTER for path in names):
        raise SuspectError(f"{folder}: holds {_ADAPTER}, which names another model to be loaded; merge the adapter into its model first")
    _check_config(folder / "config.json", visible)
    for path in names:
        if path.name.endswith(_INDEX):
            _check_index(path, visible)


def _check_config(path: Path, visible: Collection[str]) -> None:
    if not path.is_file() or path.stat().st_size > _LARGEST_CONFIG:
        raise SuspectError(f"{path}: missing or too large; a model folder has its configuration there")
    try:
        config: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise SuspectError(f"{path}: not JSON; restore the model's configuration") from None
    if not isinstance(config, dict) or "auto_map" in config:
        raise SuspectError(
            f"{path}: asks for code of the folder to be run (auto_map), which is refused; use an architecture of transformers"
        )
    fetched = [name for name in _FETCHED if "/" in str(cast("dict[str, Any]", config).get(name))]
    if fetched:
        raise SuspectError(f"{path}: asks for code to be fetched and run ({fetched[0]}), which is refused; take the entry out")
    if (named := cast("dict[str, Any]", config).get("transformers_weights")) is not None:
        _check_weights(path, [named], (_WEIGHTS, _INDEX), visible)


def _check_index(path: Path, visible: Collection[str]) -> None:
    """Nothing where all parts that an index of weights names are read as they should be."""
    if path.stat().st_size > _LARGEST_INDEX:
        raise SuspectError(f"{path}: an index of more than {_LARGEST_INDEX:,} bytes, which no model has; restore it")
    try:
        index: Any = json.loads(path.read_bytes())
        parts = list(index["weight_map"].values())
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise SuspectError(f"{path}: no index of weights (a JSON object with a weight_map); restore it") from None
    _check_weights(path, parts, (_WEIGHTS,), visible)


def _check_weights(path: Path, parts: Iterable[Any], suffixes: tuple[str, ...], visible: Collection[str]) -> None:
    """Files that are hidden or lie elsewhere are not fixed by a seal, and those of another format may be pickles."""
    for part in parts:
        if not isinstance(part, str) or part not in visible or not part.endswith(suffixes):
            raise SuspectError(
                f"{path}: names {shown(ValueError(repr(part)), 100)} as weights; they must be *.safetensors files of this folder that are "
                "not hidden"
            )


class FolderSuspect:
    """A model loaded from a folder, on the processor, in single precision.

    Args:
        folder: of the model and its tokenizer.
        seed: of its own sampled answers.
        longest: tokens of a text that are read at most, or fewer where the model has no more places; longer ones are cut at the end.

    Raises SuspectError for a folder that check_folder refuses, that cannot be loaded, MissingExtraError without the `models` extra.
    """

    def __init__(self, folder: Path, *, seed: int, longest: int = 2048) -> None:
        check_folder(folder)
        try:
            self._torch: Any = importlib.import_module("torch")
            transformers: Any = importlib.import_module("transformers")
        except ImportError:
            raise MissingExtraError("torch or transformers", extra="models") from None
        safe = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, **safe)
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, dtype=self._torch.float32, **safe)
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parts do, of a folder that may be hostile
            raise SuspectError(
                f"{folder}: cannot be loaded ({type(error).__name__}: {shown(error, 300)}); check the model's files"
            ) from None
        # what is tested are the weights: a folder's own settings of sampling could cut every answer short, or forbid tokens
        model.generation_config = transformers.GenerationConfig(eos_token_id=_ends(model.generation_config))
        self._model = model.eval()
        self._torch.manual_seed(seed)
        places = getattr(model.config, "max_position_embeddings", None)
        self.longest = min(longest, places) if isinstance(places, int) and places > 1 else longest

    @property
    def vocabulary(self) -> int:
        """Tokens that a next-token distribution is over."""
        return int(self._model.get_output_embeddings().weight.shape[0])

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens. AnswerError for what is no text, or what the tokenizer fails on."""
        require_text(text)
        with _failing():
            return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def answer(self, prompt: str, *, most_tokens: int) -> str:
        """A sampled continuation, as text."""
        ids = self.continuation(prompt, most_tokens=most_tokens)
        with _failing():
            return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def continuation(self, prompt: str, *, most_tokens: int) -> list[int]:
        """Token ids of a sampled continuation at temperature 1."""
        new = min(most_tokens, self.longest - 1)
        ids = self.encode(prompt)[new - self.longest :]
        if not ids:
            raise AnswerError("a prompt has no token; it is left out")
        given = self._torch.tensor([ids])
        with self._torch.no_grad(), _failing():
            made = self._model.generate(
                given,
                attention_mask=self._torch.ones_like(given),
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                max_new_tokens=new,
                pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id or 0,
            )
            return made[0, len(ids) :].tolist()

    def log_likelihood(self, prompt: str, answer: str) -> float:
        """ln probability (nats) of the tokens that begin in `answer`, the text being tokenised whole."""
        require_text(prompt + answer)
        with _failing():
            encoded = self._tokenizer(prompt + answer, add_special_tokens=False, return_offsets_mapping=True)
        ids, starts = encoded["input_ids"][: self.longest], [start for start, _ in encoded["offset_mapping"]][: self.longest]
        ours = [place for place, start in enumerate(starts) if start >= len(prompt) and place > 0]
        if not ours:
            raise AnswerError("an answer has no token within the length that is read; the pair is left out")
        logs = self._log_probabilities(ids)
        total = float(sum(logs[place - 1, ids[place]] for place in ours))
        if not np.isfinite(total):
            raise AnswerError("the model gives a likelihood that is not finite; the pair is left out")
        return total

    def next_tokens(self, ids: list[int]) -> NDArray[np.float64]:
        """[len(ids) - 1, V] probability of every token after each prefix but the last. AnswerError where they are not finite."""
        logs = self._log_probabilities(ids[: self.longest])[:-1]
        if not np.all(np.isfinite(logs)):
            raise AnswerError("the model gives probabilities that are not finite; the text is left out")
        return np.exp(logs)

    def _log_probabilities(self, ids: list[int]) -> NDArray[np.float64]:
        with self._torch.no_grad(), _failing():
            logits = self._model(self._torch.tensor([ids])).logits[0].double()
        return self._torch.log_softmax(logits, dim=-1).numpy()


def _ends(settings: Any) -> list[int] | None:
    """Token ids that end an answer, of a folder's settings of generation; None where it names none that can be."""
    named: Any = getattr(settings, "eos_token_id", None)
    ids: list[Any] = cast("list[Any]", named) if isinstance(named, list) else [named]
    return ids if all(type(token) is int and token >= 0 for token in ids) else None


@contextmanager
def _failing() -> Generator[None]:
    """What a model raises on a text, such as for token ids that it has no weights for, or when it draws from no numbers, costs the unit."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the library raises whatever its parts do, of a folder that may be hostile
        raise AnswerError(f"the model fails on a text ({type(error).__name__}: {shown(error)}); it is left out") from None


def listed(probabilities: list[NDArray[np.float64]], most: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """For each position, the tokens that any of the models has among its `most` likeliest."""
    for place in range(len(probabilities[0])):
        likeliest = [np.argpartition(-rows[place], min(most, rows.shape[1]) - 1)[:most] for rows in probabilities]
        yield place, np.unique(np.concatenate(likeliest)).astype(np.int64)
