"""Whether a plan can end in a verdict, and whether its files are those that were sealed; asked before a suspect is asked anything."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stillwatch.app.asked_units import asked_units, require_sample
from stillwatch.app.sealed_lines import plain_sha256
from stillwatch.app.state import file_sha256
from stillwatch.app.tokenizing import load_tokenizer
from stillwatch.errors import TooFewSamplesError
from stillwatch.govern.vault import Vault
from stillwatch.provenance.open_radioactivity import WINDOWS
from stillwatch.provenance.plan import Plan, PlanError, PlannedTest, Seal
from stillwatch.provenance.suspects.folder import check_folder
from stillwatch.stats.samples import require_samples

Pinned = tuple[tuple[str, str], ...]

_TOKENIZER = "tokenizer.json"


def check_plan(plan: Plan, path: Path, vault: Vault | None = None) -> None:
    """Nothing where every test can be measured and could reach the level, as far as files say it without a model.

    `vault` opens prompts that are sealed, whose sha256 is that of the plain lines; without it they raise VaultError.
    Raises PlanError for prompts or a tokenizer of another sha256, for rows that cannot be asked, are not as many as planned, or do not fit
    their families, and where a measured file has no folder; SuspectError for a model folder that is refused; TooFewSamplesError for a
    sample that could never reach the level; UnreadableInputError for a file that is not there.
    """
    _check_digests(plan, path, vault)
    for test in plan.tests:
        folder = (path.parent / test.measured).parent
        if not folder.is_dir():
            raise PlanError(f"{path}: test {test.name!r} is measured into {folder}, which is no folder; make it, or name another file")
        try:
            require_sample(plan, test)
            if plan.asks(test):
                _check_tokens(plan, test, path, asked_units(plan, test, path, vault))
        except TooFewSamplesError as error:
            raise TooFewSamplesError(f"{path}: test {test.name!r}: {error.test}", needed=error.needed, got=error.got) from None
        if plan.asks(test) and test.tokenizer:
            load_tokenizer(path.parent / tokenizer_file(test))
    for folder in _folders(plan):
        check_folder(path.parent / folder)


def pinned_files(plan: Plan, path: Path) -> Pinned:
    """(file, sha256) of every file of the model folders that are asked, and of the canary families; hidden files are left out.

    Everything that a folder holds counts, since any file of it may change how the model is read or answers.
    """
    asked = [test for test in plan.tests if plan.asks(test)]
    families = dict.fromkeys(name for test in asked for name in test.families)
    models = [(f"{folder}/{name}", digest) for folder in _folders(plan) for name, digest in folder_files(path.parent / folder)]
    return (*models, *((name, file_sha256(path.parent / name)) for name in families))


def check_pinned(plan: Plan, path: Path, sealed: Seal) -> None:
    """Nothing where the model folders and families are those of the seal; PlanError with the first file that differs, and both sides."""
    there, then = dict(pinned_files(plan, path)), dict(sealed.pinned)
    for name in sorted({*there, *then}):
        if there.get(name) != then.get(name):
            sides = f"sealed {_short(then.get(name))}, now {_short(there.get(name))}"
            raise PlanError(
                f"{path}: {name} is not as it was sealed ({sides}); restore the files that were sealed, or seal a new plan under another "
                "name and measure anew"
            )


def inputs_of(plan: Plan, sealed: Seal) -> list[tuple[str, str]]:
    """(file, sha256) of what the plan and its seal fix besides the measures: prompts, tokenizers, models, families; each once."""
    fixed = [(test.prompts, test.prompts_sha256.lower()) for test in plan.tests if test.prompts]
    fixed += [(tokenizer_file(test).as_posix(), test.tokenizer_sha256.lower()) for test in plan.tests if test.tokenizer]
    return list(dict.fromkeys([*fixed, *sealed.pinned]))


def tokenizer_file(test: PlannedTest) -> Path:
    """The file of a test's tokenizer, relative to the plan."""
    return Path(test.tokenizer) / _TOKENIZER


def _check_digests(plan: Plan, path: Path, vault: Vault | None) -> None:
    for test in plan.tests:
        pinned = [("prompts", test.prompts, test.prompts_sha256)]
        if test.tokenizer:
            pinned.append(("a tokenizer", str(tokenizer_file(test)), test.tokenizer_sha256))
        for what, name, planned in pinned:
            if name and (found := plain_sha256(path.parent / name, vault)) != planned.lower():
                message = (
                    f"{path}: test {test.name!r} names {what} of sha256 {planned[:16]}…, {name} has {found[:16]}…; restore the "
                    "file that was planned"
                )
                raise PlanError(message)


def _folders(plan: Plan) -> list[str]:
    """Model folders that are asked, each once."""
    asked = [test for test in plan.tests if plan.asks(test)]
    if plan.suspect.kind != "folder" or not asked:
        return []
    return list(dict.fromkeys([plan.suspect.folder, *(name for test in asked for name in test.reference_folders)]))


def _check_tokens(plan: Plan, test: PlannedTest, path: Path, rows: list[dict[str, Any]]) -> None:
    """Nothing where the models of open radioactivity split its texts alike, into enough windows, as far as their tokenizer files say.

    Without the library, or a folder's file, this is seen before the suspect is asked, when the models are loaded.
    """
    files = [path.parent / folder / _TOKENIZER for folder in (plan.suspect.folder, *test.reference_folders)]
    if test.kind != "radioactivity_open" or find_spec("tokenizers") is None or not all(file.is_file() for file in files):
        return
    texts = [row["text"] for row in rows]
    first, *others = ([list(ids) for ids in load_tokenizer(file)[0](texts)] for file in files)
    for other, file in zip(others, files[1:], strict=True):
        if other != first:
            row = next(number for number, (ids, ours) in enumerate(zip(other, first, strict=True), 1) if ids != ours)
            raise PlanError(
                f"{path.parent / test.prompts}, row {row}: {files[0]} and {file} split the text into different tokens; test {test.name!r} "
                "needs one tokenizer for suspect and references"
            )
    windows = {tuple(ids[place : place + test.width]) for ids in first for place in range(len(ids) - test.width)}
    require_samples("open radioactivity, distinct windows", needed=WINDOWS, got=len(windows))


def folder_files(folder: Path) -> list[tuple[str, str]]:
    """(name, sha256) of every file of a model folder but hidden ones. A hostile folder may hold names that are no text: shown escaped."""
    held = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    shown = [file for file in held if not any(part.startswith(".") for part in file.parts)]
    return [(file.as_posix().encode("utf-8", "backslashreplace").decode(), file_sha256(folder / file)) for file in shown]


def _short(digest: str | None) -> str:
    return "no such file" if digest is None else f"{digest[:16]}…"
