"""What `stillwatch mark` does: reads and writes keys, configurations, canaries and pairs; decides nothing that `marks` decides."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.app.key_files import write_key
from stillwatch.app.pair_files import read_pairs
from stillwatch.app.private_files import create_private, read_private
from stillwatch.app.token_files import read_token_lines
from stillwatch.errors import UnreadableInputError, UsageError
from stillwatch.govern.vault import Vault
from stillwatch.marks import canaries, twins, vllm_gumbel
from stillwatch.marks.canary_families import Family, all_slots, check_together, parse_families, shipped_families
from stillwatch.marks.keys import KEY_BYTES, MasterSecret, commitment, derive, master_of_text, master_text
from stillwatch.settings import master_key_line

PURPOSES = ("green-list", "gumbel", vllm_gumbel.PURPOSE, twins.PURPOSE, canaries.PURPOSE)
MASTER = "master"


def make_master(out: Path) -> str:
    """A new key file; its commitment. OutputError where something is there already."""
    master = MasterSecret(secrets.token_bytes(KEY_BYTES))
    create_private(out, master_text(master))
    return commitment(master)


def load_master(path: Path | None) -> MasterSecret:
    """The master secret of a key file, or of the environment where no file is named.

    Raises UsageError where neither is there, UnreadableInputError for a file that others may read, KeyMaterialError for another content.
    """
    if path is not None:
        return master_of_text(read_private(path), str(path))
    line = master_key_line()
    if line is None:
        message = (
            "no master secret: --key names no file and STILLWATCH_MASTER_KEY is not set; make one with `stillwatch mark keys --out FILE`"
        )
        raise UsageError(message)
    return master_of_text(line, "STILLWATCH_MASTER_KEY")


def commitments(master: MasterSecret, *, purposes: Sequence[str], accounts: Sequence[str], period: str | None) -> list[dict[str, Any]]:
    """The commitment of the master, or of the key for every purpose and account: purpose, account, period, commitment."""
    if not purposes:
        if accounts or period:
            raise UsageError(
                "--account and --period say nothing without --purpose; add --purpose, or leave them out for the master's commitment"
            )
        return [{"purpose": MASTER, "account": None, "period": None, "commitment": commitment(master)}]
    for purpose in purposes:
        _known(purpose)
    if not period:
        raise UsageError("--purpose needs --period, such as --period 2026-11: keys are derived for a period")
    return [
        {
            "purpose": purpose,
            "account": account,
            "period": period,
            "commitment": commitment(derive(master, purpose=purpose, account=account, period=period)),
        }
        for purpose in purposes
        for account in (accounts or [None])
    ]


def write_derived(master: MasterSecret, out: Path, *, purpose: str, account: str | None, period: str) -> dict[str, object]:
    """One derived key in a new private file; its commitment."""
    _known(purpose)
    return write_key(derive(master, purpose=purpose, account=account, period=period), out)


def _known(purpose: str) -> None:
    if purpose not in PURPOSES:
        raise UsageError(f"--purpose is {purpose!r}; it takes one of {', '.join(PURPOSES)}")


def write_vllm(master: MasterSecret, out: Path, *, account: str | None, period: str, width: int) -> dict[str, object]:
    """The value of vLLM's `--watermark-config` in a new private file; the key's commitment."""
    key = derive(master, purpose=vllm_gumbel.PURPOSE, account=account, period=period)
    create_private(out, vllm_gumbel.configuration(key, width=width) + "\n")
    return {"commitment": commitment(key)}


def read_vllm(master: MasterSecret, tokens: Path, *, account: str | None, period: str, width: int) -> dict[str, Any]:
    """What vLLM's watermark says of a file of token ids, with the null hypothesis and the assumption of its p-value.

    Raises TooFewSamplesError for a file without tokens, TokenLineError for a line that holds none.
    """
    key = derive(master, purpose=vllm_gumbel.PURPOSE, account=account, period=period)
    answers = read_token_lines(tokens)
    reading = vllm_gumbel.detect(key, answers, width=width)
    return {
        "file": str(tokens),
        "answers": len(answers),
        "tokens": reading.given,
        "contexts_scored_once": reading.scored,
        "score_nats": reading.score,
        "score_expected_without_the_key": reading.scored,
        "p_value": reading.p_value,
        "key_commitment": commitment(key),
        "null": "the tokens were chosen independently of the key",
        "assumption": "Philox 4x32-10 gives independent uniform numbers to whoever does not know the key",
    }


def load_families(paths: Sequence[Path]) -> tuple[Family, ...]:
    """The shipped canary families and those of TOML files. UnreadableInputError, or CanaryFamilyError for what cannot be used."""
    found = shipped_families()
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UnreadableInputError(f"{path} cannot be read: {reason}; name a TOML file of canary families") from None
        found += parse_families(text, str(path))
    check_together(found)
    return found


def families_json(families: Sequence[Family]) -> list[dict[str, Any]]:
    """The families for machines; no choice of any key."""
    return [
        {
            "id": family.id,
            "about": family.about,
            "kind": family.kind.value,
            "variants": min(len(slot.variants) for slot in family.slots),
            "topics": [slot.id for slot in family.slots],
        }
        for family in families
    ]


def write_instructions(
    master: MasterSecret, families: Sequence[Family], out: Path, *, account: str | None, period: str
) -> dict[str, object]:
    """Every instruction of a key, a JSON line each, in a new private file; how many, and the key's commitment."""
    key = derive(master, purpose=canaries.PURPOSE, account=account, period=period)
    slots = all_slots(families)
    lines = [
        {"slot": slot.id, "when": slot.when, "instruction": slot.instruction.replace("{variant}", canaries.choose(key, slot))}
        for slot in slots
    ]
    create_private(out, _json_lines(lines))
    return {"instructions": len(lines), "commitment": commitment(key)}


def write_questions(families: Sequence[Family], out: Path) -> dict[str, object]:
    """Every question, a JSON line each, in a new private file; how many, and the chance of a match."""
    slots = all_slots(families)
    lines = [{"slot": slot.id, "question": slot.question, "variants": len(slot.variants), "variants_sha256": slot.digest} for slot in slots]
    create_private(out, _json_lines(lines))
    expected = sum(1 / len(slot.variants) for slot in slots)
    return {"questions": len(lines), "expected_matches_of_an_innocent_model": round(expected, 2)}


def check_twins(path: Path, master: MasterSecret | None, vault: Vault | None = None) -> dict[str, Any]:
    """Counts of a pairs file, without a look at the coin.

    Raises BrokenChainError for a changed file, ForeignPairError where a pair is not the key's own.
    """
    found = read_pairs(path, vault)
    periods = sorted({pair.period for pair in found.pairs})
    if master is not None:
        for period in periods:
            key = derive(master, purpose=twins.PURPOSE, account=None, period=period)
            twins.check_pairs(key, [pair for pair in found.pairs if pair.period == period])
    first = {pair.request_id: pair for pair in reversed(found.pairs)}
    return {
        "file": str(path),
        "pairs": len(found.pairs),
        "usable": sum(not pair.tie for pair in first.values()),
        "ties": sum(pair.tie for pair in first.values()),
        "repeated_requests": len(found.pairs) - len(first),
        "torn_lines": found.torn,
        "encrypted_lines": found.sealed,
        "erased_lines": found.erased,
        "accounts": len({pair.account_id for pair in found.pairs}),
        "periods": periods,
        "key_commitments": sorted({pair.key_commitment for pair in found.pairs}),
        "checked_with_key": master is not None,
        "head": found.head,
    }


def _json_lines(lines: Sequence[Any]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
