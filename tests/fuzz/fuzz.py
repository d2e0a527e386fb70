"""Hostile case files, notes and proofs against the parsers and both verifiers, for as long as one likes.

    python tests/fuzz/fuzz.py --seconds 60 [--seed 7] [--failures FOLDER]

What has to hold for whatever is given:

- a parser gives a value or an error of the product, and nothing else; no input takes longer than a few seconds;
- both verifiers give the same verdict, and refuse at the same step;
- no file is verified whose bytes are not those of a sound one, unless somebody with the key signed it again.

The first input that breaks one of these is written into FOLDER, and the exit status is 1. A run is repeated by its seed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

import build_cases
import editing
import grounds
import making
import told_defects

from stillwatch.errors import StillwatchError
from stillwatch.ledger.canonical import canonical_json, read_canonical
from stillwatch.ledger.checkpoints import open_checkpoint, parse_checkpoint
from stillwatch.ledger.entries import parse_entry
from stillwatch.ledger.notes import parse_key, parse_note
from stillwatch.ledger.proofs import parse_consistency, parse_inclusion
from stillwatch.sealing.container import pack, unpack
from stillwatch.sealing.envelope import opened as open_envelope
from stillwatch.sealing.verification.statement import read_statement
from stillwatch.sealing.verification.verifying import REFUSED, verify_case

ROOT = Path(__file__).parents[2]
SLOWEST_S = 5.0
CASES = ROOT / "tests" / "golden" / "cases"
TOKENS = (
    *(b"\0", b"\xff", b"\n", b"\n\n", b"\r\n", b"PK\3\4", b"PK\1\2", b"PK\5\6", b'"', b"\\", b"{}", b"[]", b"null", b"true", b"-0"),
    *(b"1e999", b"NaN", b"9007199254740993", b"\\ud800", "\u202e".encode(), b"\xe2\x80\x94 ", b"+", b"=", b"A" * 44, b"0" * 64),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**53 - 1, 2**53, 10**30, "", "0", "-0.00", "1.50", "E1", "E2", "N1", "E9999", "A", "\u202e", "<b>"),
    *("0" * 64, "f" * 64, "2026-06-21T09:00:00.000000Z", "count", "ratio", "share", "alias", "value", "hash", [], {}, [[]], 0.5, "a\nb"),
)


def lone_verifier() -> ModuleType:
    """The verifier in one file, as a module."""
    spec = importlib.util.spec_from_file_location("verify_case_fuzzed", ROOT / "verify_case.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BrokenLawError(Exception):
    """A law that did not hold, with the input."""

    def __init__(self, law: str, data: bytes) -> None:
        super().__init__(law)
        self.data = data


class Fuzzer:
    """Inputs by chance, from a seed.

    Args:
        seed: of every draw.

    Attributes:
        counts: inputs of each kind.
        seen: (verdict, step) of case files, and how often.
    """

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.alone = lone_verifier()
        expected = json.loads((CASES / build_cases.EXPECTED).read_text("utf-8"))
        self.key, self.lone_key = parse_key(expected["key"]), self.alone.read_key(expected["key"])
        self.files = {path.stem: path.read_bytes() for path in sorted(CASES.glob("*.zip"))}
        self.sound = {self.files[name] for name in build_cases.SOUND}
        self.parts = [editing.Opened(self.files[name], making.signers(ml_dsa=name == "ml-dsa")) for name in ("full", "redacted", "ml-dsa")]
        self.counts: dict[str, int] = {}
        self.seen: dict[tuple[str, int | None], int] = {}
        self.pieces = self._pieces()

    def _pieces(self) -> list[tuple[str, bytes, Callable[[bytes], object]]]:
        """(name, sound input, parser)."""
        members = self.parts[2].members
        note, proof = members["checkpoint"], members["proofs/E1.tlog-proof"]
        consistency = b"old 4\n" + b"\n".join(proof.split(b"\n\n")[0].split(b"\n")[3:]) + b"\n\n" + note
        record = parse_inclusion(proof, "seed").extra or b""
        text = self.key.text().encode()
        return [
            ("note", note, lambda data: parse_note(data, "x")),
            ("checkpoint", note, lambda data: open_checkpoint(data, [self.key], "x")),
            ("checkpoint text", note.split(b"\n\n")[0] + b"\n", lambda data: parse_checkpoint(data.decode("utf-8", "replace"), "x")),
            ("proof", proof, lambda data: parse_inclusion(data, "x")),
            ("consistency", consistency, lambda data: parse_consistency(data, "x")),
            ("entry", record, lambda data: parse_entry(data, 4)),
            ("key", text, lambda data: parse_key(data.decode("utf-8", "replace"))),
            ("canonical", canonical_json(self.parts[0].case["claims"]), read_canonical),
            ("statement", canonical_json(self.parts[0].statement), read_statement),
            ("envelope", unpack(self.files["ml-dsa"])["case.json"], open_envelope),
            ("archive", self.files["no-signature"], unpack),
        ]

    def one(self) -> None:
        """One input of one kind. Raises BrokenLawError where a law does not hold."""
        kind = self.draw.choice(("bytes", "member", "signed", "signed", "plausible", "plausible", "rows", "archive", "parser", "parser"))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "parser":
            self._parse()
        else:
            data, resigned = getattr(self, f"_{kind}")()
            self._verify(data, resigned=resigned)

    def _parse(self) -> None:
        name, sound, parser = self.draw.choice(self.pieces)
        data = self.mutated(sound)
        try:
            parser(data)
        except StillwatchError:
            return
        except Exception as error:
            raise BrokenLawError(f"the parser of {name} raised {type(error).__name__}: {error}", data) from error

    def _verify(self, data: bytes, *, resigned: bool) -> None:
        started = time.monotonic()
        try:
            ours = verify_case(data, [self.key])
            theirs = self.alone.verify(data, [self.lone_key])
        except Exception as error:
            raise BrokenLawError(f"a verifier raised {type(error).__name__}: {error}", data) from error
        if time.monotonic() - started > SLOWEST_S:
            raise BrokenLawError(f"the verifiers took more than {SLOWEST_S} s", data)
        step = ours.steps[-1].number if ours.verdict == REFUSED else None
        other = theirs["failed"] and theirs["failed"]["step"]
        if (ours.verdict, step) != (theirs["verdict"], other):
            raise BrokenLawError(f"one says {ours.verdict} {step} ({ours.failure}), the other {theirs['verdict']} {theirs['failed']}", data)
        if ours.verdict != REFUSED:
            if not resigned and data not in self.sound:
                raise BrokenLawError("a changed file is verified", data)
            if ours.numbers != theirs["numbers"]:
                raise BrokenLawError(f"numbers differ: {ours.numbers} {theirs['numbers']}", data)
        self.seen[ours.verdict, step] = self.seen.get((ours.verdict, step), 0) + 1

    # Inputs.

    def _bytes(self) -> tuple[bytes, bool]:
        return self.mutated(self.draw.choice(list(self.files.values()))), False

    def _archive(self) -> tuple[bytes, bool]:
        members = editing.members_of(self.draw.choice(sorted(self.sound)))
        for _ in range(self.draw.randint(1, 3)):
            place = self.draw.randrange(len(members))
            name, content, given = members[place]
            field = self.draw.choice(("method", "flags", "mode", "size", "packed", "extra", "name", "order", "twice", "gone"))
            if field in ("order", "twice"):
                members.insert(self.draw.randrange(len(members)), members.pop(place) if field == "order" else members[place])
            elif field == "gone":
                members.pop(place)
            elif field == "name":
                members[place] = (self.mutated(name.encode()).decode("utf-8", "replace")[:200], content, given)
            else:
                value: Any = self.draw.choice((0, 1, 8, 0x0800, 0xFFFF, 0o120777, 0o40755))
                members[place] = (name, content, given | {field: bytes(value % 99) if field == "extra" else value})
            if not members:
                break
        return editing.raw_archive(members, comment=self.draw.choice((b"", b"", b"x"))), False

    def _member(self) -> tuple[bytes, bool]:
        part = self.draw.choice(self.parts).copy()
        name = self.draw.choice(sorted(part.members))
        part.members[name] = self.mutated(part.members[name])
        return part.unsigned(), False

    def _signed(self) -> tuple[bytes, bool]:
        """Somebody with the key changes what he signs."""
        part = self.draw.choice(self.parts).copy()
        for _ in range(self.draw.choice((1, 1, 1, 2, 3))):
            where = self.draw.choice(("statement", "statement", "statement", "member", "member", "payload", "envelope"))
            if where == "statement":
                self.change(self.draw.choice((part.statement, part.case, *part.case.values())))
            elif where == "member":
                name = self.draw.choice(sorted(part.members))
                part.members[name] = self.mutated(part.members[name])
        try:
            data = part.signed(
                self.mutated(canonical_json(part.statement)) if where == "payload" else None, subjects=self.draw.random() < 0.9
            )
        except StillwatchError:  # what cannot be written as canonical JSON is written as JSON
            data = part.signed(json.dumps(part.statement).encode())
        if where == "envelope":
            self.change(part.envelope)
            data = pack(part.members | {"case.json": json.dumps(part.envelope, sort_keys=True, separators=(",", ":")).encode()})
        return data, True

    def _rows(self) -> tuple[bytes, bool]:
        """Cells are changed, and the rows written in canonical form again."""
        part = self.draw.choice(self.parts).copy()
        uid = self.draw.choice([name[9:-6] for name in part.members if name.startswith("exhibits/")])
        rows = part.rows(uid)
        self.change(rows)
        try:
            part.set_rows(uid, rows if isinstance(rows, list) else [rows])
        except StillwatchError:
            part.members[f"exhibits/{uid}.jsonl"] = json.dumps(rows).encode() + b"\n"
        return part.signed(), True

    def _plausible(self) -> tuple[bytes, bool]:
        """Somebody with the key claims other numbers or another custody, in the right form."""
        part = self.draw.choice(self.parts[:2]).copy()
        if self.draw.random() < 0.7:
            self._other_number(part)
        else:
            event = self.draw.choice(part.case["custody"])
            event[self.draw.choice(("before", "after", "previous"))] = self.draw.choice(
                [None, *(one["after"] for one in part.case["custody"]), *(one["root"] for one in part.case["exhibits"])]
            )
            if self.draw.random() < 0.3:
                event["at"] = self.draw.choice([one["at"] for one in part.case["custody"]])
            if event["after"] is None:
                event["after"] = "0" * 64
            if self.draw.random() < 0.6:
                told_defects.relinked(part.case["custody"])
        part.members["narrative.html"] = grounds.short_page(part.case, None)
        return part.signed(), True

    def _other_number(self, part: editing.Opened) -> None:
        numbers, exhibits = part.case["numbers"], part.case["exhibits"]
        number = self.draw.choice(numbers)
        columns = sorted({column["name"] for exhibit in exhibits for column in exhibit["columns"]})
        cells = [cell.get("value", cell.get("alias")) for row in part.rows("E1") for cell in row]
        for _ in range(self.draw.randint(1, 3)):
            field = self.draw.choice(("rule", "column", "by", "exhibit", "where", "of", "value"))
            if field == "where":
                number["where"] = [
                    {"column": self.draw.choice(columns), "equals": self.draw.choice(cells)} for _ in range(self.draw.randrange(3))
                ]
            elif field == "of":
                number["of"] = self.draw.sample([one["uid"] for one in numbers], self.draw.randrange(4))
            else:
                number[field] = self.draw.choice(
                    {
                        "rule": ("count", "distinct", "sum", "min", "max", "share", "ratio", "q_value", "holm", "log_mean", "stated"),
                        "column": (*columns, None),
                        "by": (*columns, None, None),
                        "exhibit": ("E1", "E2", "E3", "E4", "E4", None),
                        "value": [one["value"] for one in numbers] + ["0", "0.5", "-0", "1", "4.0", "0.00", "2026-06-01T10:17:00.000000Z"],
                    }[field]
                )

    # Changes.

    def mutated(self, data: bytes) -> bytes:
        """A few bytes changed, added, left out, doubled or moved."""
        changed = bytearray(data)
        for _ in range(self.draw.choice((1, 1, 2, 4))):
            at, length = self.draw.randrange(len(changed) + 1), self.draw.choice((1, 1, 2, 8, 40))
            kind = self.draw.randrange(6)
            if kind == 0 and changed:
                changed[at % len(changed)] ^= 1 << self.draw.randrange(8)
            elif kind == 1:
                changed[at:at] = self.draw.choice(TOKENS)
            elif kind == 2:
                del changed[at : at + length]
            elif kind == 3:
                changed[at:at] = changed[at : at + length]
            elif kind == 4:
                changed[at : at + length] = self.draw.randbytes(length)
            else:
                other = self.draw.randrange(len(changed) + 1)
                changed[at : at + length] = changed[other : other + length]
        return bytes(changed)

    def change(self, value: Any) -> None:
        """Something within a JSON value changed, left out, doubled or put elsewhere."""
        holders = _holders(value)
        if not holders:
            return
        holder = self.draw.choice(holders)
        places: Sequence[Any] = list(holder) if isinstance(holder, dict) else range(len(holder))
        kind = self.draw.randrange(5)
        if not places or kind == 0:
            new = self.draw.choice(ODD)
            if isinstance(holder, dict):
                holder[self.draw.choice(("uid", "note", "", "rows", "salt"))] = new
            else:
                holder.append(new)
            return
        place = self.draw.choice(places)
        if kind == 1:
            del holder[place]
        elif kind == 2:
            other = self.draw.choice(places)
            holder[place], holder[other] = holder[other], holder[place]
        elif kind == 3 and isinstance(holder[place], str):
            holder[place] = self.mutated(holder[place].encode()).decode("utf-8", "replace")
        else:
            holder[place] = self.draw.choice(ODD)


def _holders(value: Any) -> list[Any]:
    """Every object and list within a value."""
    found = [value] if isinstance(value, dict | list) else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        found += _holders(item)
    return found


def main() -> int:
    """Run for a time; the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="default: drawn anew, and printed")
    parser.add_argument("--failures", type=Path, default=ROOT / ".cache" / "fuzz")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}, {given.seconds:.0f} s", flush=True)
    fuzzer = Fuzzer(seed)
    end = time.monotonic() + given.seconds
    try:
        while time.monotonic() < end:
            fuzzer.one()
    except BrokenLawError as broken:
        given.failures.mkdir(parents=True, exist_ok=True)
        path = given.failures / f"seed-{seed}"
        path.write_bytes(broken.data)
        print(f"after {sum(fuzzer.counts.values())} inputs: {broken}\nthe input is in {path}; repeat with --seed {seed}")
        return 1
    print(f"{sum(fuzzer.counts.values()):,} inputs: {fuzzer.counts}")
    steps = {f"{verdict} {step or ''}".strip(): count for (verdict, step), count in sorted(fuzzer.seen.items(), key=str)}
    print(f"case files: {steps}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
