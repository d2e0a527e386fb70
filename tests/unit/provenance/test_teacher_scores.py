"""The teacher's own scores: what a pairs file becomes before a plan names it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from stillwatch.app.measure_files import rows_of
from stillwatch.app.pair_files import append_pair, read_pairs
from stillwatch.app.progress import Quiet
from stillwatch.app.state import file_sha256
from stillwatch.app.teacher_scores import open_teacher, score_pairs, teacher_digest
from stillwatch.app.vaulting import encrypt_file
from stillwatch.errors import OutputError, UnreadableInputError, UsageError
from stillwatch.govern.refusals import VaultError
from stillwatch.govern.vault import Vault, VaultKey
from stillwatch.marks.keys import MarkKey, commitment
from stillwatch.provenance.suspects import MOST_IN_A_ROW, AnswerError, SuspectError
from stillwatch.provenance.suspects.endpoint import NO_LOG_PROBABILITIES
from stillwatch.records.pairs import TwinPair

KEY = MarkKey(bytes(range(32)))


class Teacher:
    """Scores by length; fails where it is told to."""

    def __init__(self, broken: frozenset[str] = frozenset()) -> None:
        self.asked: list[tuple[str, str]] = []
        self.broken = broken

    def answer(self, prompt: str, *, most_tokens: int) -> str:
        """Never asked."""
        raise AnswerError(f"no answer to {prompt}")

    def log_likelihood(self, prompt: str, answer: str) -> float:
        """Minus the letters."""
        self.asked.append((prompt, answer))
        if answer in self.broken:
            raise AnswerError("broken")
        return -float(len(answer))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    for number in range(20):
        second = "one" if number == 3 else f"half \ud83d {number}" if number == 4 else f"second {number}"
        pair = TwinPair(
            request_id=f"r{number}",
            account_id=None,
            model=None,
            at="2026-11-25T00:00:00Z",
            period="1",
            key_commitment=commitment(KEY),
            share=1.0,
            prompt='[{"role":"user","content":"why"}]' if number == 0 else f"Q{number}",
            first="one",
            second=second,
            tie=second == "one",
        )
        append_pair(path, pair)
    return path


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_pair_has_a_row_a_tie_is_not_asked_and_the_file_is_private(pairs: Path, tmp_path: Path) -> None:
    teacher, out = Teacher(frozenset({"second 5"})), tmp_path / "twins.jsonl"
    told = score_pairs(pairs, teacher, out, Quiet(), named="t")
    rows = _rows(out)
    assert told == {"pairs": 20, "scored": 19, "prompts_sha256": file_sha256(out)}
    assert [row["request_id"] for row in rows] == [f"r{n}" for n in range(20)]
    assert (rows[1]["teacher_first"], rows[1]["teacher_second"]) == (-3.0, -8.0)
    assert (rows[5]["teacher_first"], rows[5]["teacher_second"]) == (None, None)
    assert (rows[3]["teacher_first"], rows[3]["teacher_second"]) == (0.0, 0.0)
    assert rows[4]["second"] == "half \ud83d 4"
    assert len(teacher.asked) == 38
    # messages are read as the suspect will read them
    assert teacher.asked[0] == ("why\n\n", "one")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl", "twins.jsonl"]
    with pytest.raises(OutputError, match="never overwritten"):
        score_pairs(pairs, teacher, out, Quiet(), named="t")


def test_a_stopped_run_goes_on_for_the_same_teacher_and_the_same_pairs_alone(pairs: Path, tmp_path: Path) -> None:
    class Stopped(Teacher):
        def log_likelihood(self, prompt: str, answer: str) -> float:
            if prompt == "Q7":
                raise KeyboardInterrupt
            return super().log_likelihood(prompt, answer)

    out = tmp_path / "twins.jsonl"
    with pytest.raises(KeyboardInterrupt):
        score_pairs(pairs, Stopped(), out, Quiet(), named="t")
    with pytest.raises(OutputError, match=r"holds answers of another teacher \(t, now other\)"):
        score_pairs(pairs, Teacher(), out, Quiet(), named="other")
    rest = Teacher()
    score_pairs(pairs, rest, out, Quiet(), named="t")
    assert rest.asked[0] == ("Q7", "one")
    assert [row["request_id"] for row in _rows(out)] == [f"r{n}" for n in range(20)]


class _Seen(Quiet):
    """Looks at the part whenever a pair is done."""

    def __init__(self, part: Path) -> None:
        self.part, self.seen = part, list[bytes]()

    def advance(self, done: int) -> None:
        """What lies on the disk now."""
        del done
        self.seen.append(self.part.read_bytes())


def test_the_part_lies_encrypted_from_its_first_line_and_goes_on_with_the_key_alone(pairs: Path, tmp_path: Path) -> None:
    vault, out = Vault([VaultKey(bytes(range(32)))]), tmp_path / "twins.jsonl"
    part = out.with_name("twins.jsonl.part")
    encrypt_file(pairs, vault)
    broken = Teacher(frozenset({f"second {number}" for number in range(10, 20)}))
    looked = _Seen(part)
    with pytest.raises(SuspectError):
        score_pairs(pairs, broken, out, looked, named="t", vault=vault)
    assert looked.seen
    assert not [seen for seen in looked.seen if b"second" in seen or b'"prompt"' in seen]
    with pytest.raises(VaultError, match="give --vault-key"):
        score_pairs(pairs, Teacher(), out, Quiet(), named="t")
    part.write_bytes(part.read_bytes() + b'{"sealed":"torn')
    teacher = Teacher()
    told = score_pairs(pairs, teacher, out, Quiet(), named="t", vault=vault)
    assert (told["pairs"], told["scored"]) == (20, 20)
    assert {answer for _, answer in teacher.asked} == {"one", *(f"second {number}" for number in range(10, 20))}
    sealed = [row["request_id"] for row in rows_of(out, vault)]
    plain = tmp_path / "plain.jsonl"
    again = Teacher()
    plain_pairs = tmp_path / "plain-pairs.jsonl"
    for pair in read_pairs(pairs, vault).pairs:
        append_pair(plain_pairs, pair)
    expected = score_pairs(plain_pairs, again, plain, Quiet(), named="t")
    # the seal of a plan names the rows in plain: the same, however they were stored
    assert (sealed, told["prompts_sha256"]) == ([f"r{n}" for n in range(20)], expected["prompts_sha256"])


def test_a_part_that_was_begun_in_plain_is_gone_on_with_encrypted(pairs: Path, tmp_path: Path) -> None:
    vault, out = Vault([VaultKey(bytes(range(32)))]), tmp_path / "twins.jsonl"
    with pytest.raises(SuspectError):
        score_pairs(pairs, Teacher(frozenset({f"second {number}" for number in range(8, 20)})), out, Quiet(), named="t")
    assert score_pairs(pairs, Teacher(), out, Quiet(), named="t", vault=vault)["scored"] == 20
    assert b"second" not in out.read_bytes()
    assert len(list(rows_of(out, vault))) == 20


def test_a_teacher_that_gives_nothing_is_left_after_a_few(pairs: Path, tmp_path: Path) -> None:
    teacher, out = Teacher(frozenset({"one"})), tmp_path / "twins.jsonl"
    # the tie among the first nine pairs is nothing that the teacher was asked
    for most in (MOST_IN_A_ROW, 2 * MOST_IN_A_ROW):
        with pytest.raises(SuspectError, match=f"no usable score: {most} unusable answers in a row, the last because broken"):
            score_pairs(pairs, teacher, out, Quiet(), named="t")
    assert not out.exists()
    # nothing was used up: a teacher that is mended scores every pair
    assert score_pairs(pairs, Teacher(), out, Quiet(), named="t")["scored"] == 20
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["pairs.jsonl", "twins.jsonl"]


def test_a_teacher_without_log_probabilities_is_told_what_to_give(pairs: Path, tmp_path: Path) -> None:
    class Silent(Teacher):
        def log_likelihood(self, prompt: str, answer: str) -> float:
            raise AnswerError(NO_LOG_PROBABILITIES)

    with pytest.raises(SuspectError, match=r"give the model's folder with --folder or a server that echoes"):
        score_pairs(pairs, Silent(), tmp_path / "twins.jsonl", Quiet(), named="t")


def test_a_file_without_pairs_is_nothing_to_score(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch(0o600)
    with pytest.raises(UnreadableInputError, match="holds no pair"):
        score_pairs(tmp_path / "empty.jsonl", Teacher(), tmp_path / "twins.jsonl", Quiet(), named="t")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.jsonl"]


def test_other_weights_at_the_same_place_are_another_teacher(pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"one")
    broken, out = Teacher(frozenset({"one"})), tmp_path / "twins.jsonl"
    with pytest.raises(SuspectError, match="no usable score"):
        score_pairs(pairs, broken, out, Quiet(), named="t", digest=teacher_digest(folder))
    (folder / "model.safetensors").write_bytes(b"two")
    with pytest.raises(OutputError, match="holds answers of another teacher_sha256"):
        score_pairs(pairs, Teacher(), out, Quiet(), named="t", digest=teacher_digest(folder))
    assert teacher_digest(None) == ""


@pytest.mark.parametrize(
    ("folder", "url", "model"), [(None, "", ""), (Path("a"), "http://x/v1", "m"), (None, "http://x/v1", ""), (Path("a"), "", "m")]
)
def test_one_teacher_is_named(folder: Path | None, url: str, model: str) -> None:
    with pytest.raises(UsageError, match="either --folder, or --url and --model"):
        open_teacher(folder, url, model)
