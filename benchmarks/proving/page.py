"""benchmarks/PROVE.md: what was frozen, the tables, what was reached and what was not."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from scipy import stats

from proving import cast, detectors, proofs
from proving.innocence import LEVELS
from proving.settings import EARLIER, Size
from stillwatch.provenance.verdict import power_of_ten

Records = Mapping[str, Any]
OPEN, CLOSED = "radioactivity_open", "radioactivity_closed"
_NAMES = {
    OPEN: "open radioactivity",
    CLOSED: "closed radioactivity",
    "twins": "twins",
    "canaries": "canaries",
    "dedup_neutral": "de-duplicated argmax, neutral text",
    "dedup_marked": "de-duplicated argmax, marked text",
    "naive_neutral": "argmax with repeats, neutral text (not valid)",
    "naive_marked": "argmax with repeats, marked text (not valid)",
}


def text(records: Records, size: Size, seed: int, split: str) -> str:
    """The page, paragraphs and items broken at 140 characters."""
    parts = "\n".join(_lines(records, size, seed, split)).split("\n")
    return "\n".join(line if line.startswith(("|", "!", "#")) else _broken(line) for line in parts) + "\n"


def _broken(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, 140, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _lines(records: Records, size: Size, seed: int, split: str) -> Iterator[str]:
    """The page, line by line."""
    teacher, proofs_of = records["teacher"], records["proofs"]
    yield "# Proving that a model was trained on marked outputs\n"
    yield (
        f"Made by `make bench-prove`, size {size.name}, split {split}, seed {seed}. Frozen on the tune seed, before this run: "
        f"{proofs.frozen()}. Weights, text, sampling and keys of this run come from its own seed. Every student has a plan that was sealed "
        "before it was asked anything, and every p-value of ours is that of `stillwatch prove` on its model folder.\n"
    )
    yield (
        f"Teacher: {teacher['parameters']:,} parameters, {teacher['read']:,} tokens of {teacher['source']}, vocabulary "
        f"{size.vocabulary:,}, last loss {teacher['loss']:.2f}. Students: the same shape from other random weights, "
        f"{size.student_tokens:,} tokens, read {size.passes} times (the taught one {size.taught_tokens:,}, read once). Marked text is "
        f"{size.answers:,} answers of {size.answer_tokens} tokens. Everything a student reads, and everything "
        "a test reads, is text that is made into tokens again.\n"
    )
    yield from _proofs(proofs_of)
    yield "\n![Reach of each statistic](PROVE-reach.svg)\n"
    yield from _reach(proofs_of, records["innocence"])
    yield from _innocents(records["innocence"])
    yield "\n![Innocents over keys](PROVE-innocents.svg)\n"
    yield "## Beside transformers' detector\n"
    yield from detectors.summary(records["detectors"])
    yield "\n## How the students learn\n"
    yield from _limits(records, size)
    yield "\n## Time\n"
    yield from _time(records)
    if split == "confirm":
        yield "\n" + EARLIER.read_text(encoding="utf-8").rstrip()


def _proofs(found: Records) -> Iterator[str]:
    yield (
        "| student | open, ours | de-duplicated argmax (neutral / marked text) | argmax with repeats | closed | twins | canaries "
        "| verdict |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---|"
    for student in cast.STUDENTS:
        tests, published = found[student.name]["tests"], found[student.name]["published"]
        cells = [power_of_ten(tests[name]["log10_p"]) if name in tests else "" for name in (OPEN, CLOSED, "twins", "canaries")]
        dedup = " / ".join(power_of_ten(published[f"dedup_{text}"]) for text in ("neutral", "marked"))
        outcome, naive = found[student.name]["outcome"].replace("_", " "), power_of_ten(published["naive_neutral"])
        yield f"| {student.words} | {cells[0]} | {dedup} | {naive} | {cells[1]} | {cells[2]} | {cells[3]} | {outcome} |"


def _reach(found: Records, innocence: Records) -> Iterator[str]:
    def log(name: str, test: str = OPEN) -> float:
        return float(found[name]["tests"][test]["log10_p"])

    five, published = log("marked-5"), min(found["marked-5"]["published"][f"dedup_{text}"] for text in ("neutral", "marked"))
    taught, tuned = found["taught"]["tests"], found["tuned"]["tests"]
    goals = [
        ("5 % marked, open test on neutral text: p ≤ 1e-6", five <= -6.0, power_of_ten(five)),
        (
            "at least five orders below the de-duplicated argmax on the same student (the better of its two texts)",
            published - five >= 5.0,
            f"{published - five:.1f} orders",
        ),
        ("20 % marked: p ≤ 1e-30", log("marked-20") <= -30.0, power_of_ten(log("marked-20"))),
        (
            "twins: p ≤ 1e-6 from at most 1,000 pairs seen once",
            taught["twins"]["log10_p"] <= -6.0 and taught["twins"]["sample"] <= 1_000,
            f"{power_of_ten(taught['twins']['log10_p'])} from {taught['twins']['sample']:,}",
        ),
        (
            f"canaries: p ≤ 1e-6 from {cast.QUESTIONS} questions at {cast.ADOPTED:.0%} adoption",
            tuned["canaries"]["log10_p"] <= -6.0,
            f"{power_of_ten(tuned['canaries']['log10_p'])}, {tuned['canaries']['value']:.0f} of {tuned['canaries']['sample']} match",
        ),
        ("no valid test of an innocent rejects more often than its level over keys", _all_hold(innocence), "see below"),
    ]
    yield "| reach | | found |\n|---|---|---|"
    for words, reached, value in goals:
        yield f"| {words} | {'reached' if reached else '**missed**'} | {value} |"
    yield ""


def _all_hold(innocence: Records) -> bool:
    return all(
        _holds(counted, level)
        for record in innocence.values()
        for name, counted in record["tests"].items()
        if not name.startswith(("naive", "dedup"))
        for level in LEVELS
    )


def _holds(counted: Records, level: float) -> bool:
    """Whether the count of keys is one that a valid p-value gives: within the upper 99.9 % point of the binomial law."""
    return int(counted["at_most"][str(level)]) <= int(stats.binom.ppf(0.999, counted["keys"], level))


def _innocents(innocence: Records) -> Iterator[str]:
    yield "## Innocents over keys\n"
    yield (
        "Share of random keys, which marked nothing, under which a test gives a p-value at most the level. Exact tests and bounds stay at "
        "it or below; (!) stands where the count lies beyond the upper 99.9 % point of its binomial law. The p-value of twins falls as the "
        "mean difference rises, so that the keys which reach a level are found by bisection in that order.\n"
    )
    yield "| innocent | test | keys | " + " | ".join(f"p ≤ {level:g}" for level in LEVELS) + " | smallest p |\n|---|---|---:|" + "---:|" * 4
    for name, record in innocence.items():
        for test, counted in record["tests"].items():
            cells = " | ".join(
                f"{counted['at_most'][str(level)] / counted['keys']:.2%}{'' if _holds(counted, level) else ' (!)'}" for level in LEVELS
            )
            yield f"| {name} | {_NAMES[test]} | {counted['keys']:,} | {cells} | {counted['smallest']:.1e} |"
    uniform = ", ".join(f"{name} {record['tests'][OPEN]['uniform_p']:.2f}" for name, record in innocence.items())
    yield f"\nKolmogorov–Smirnov test of the open test's standardised mass over keys against the normal law, p-values: {uniform}."


def _limits(records: Records, size: Size) -> Iterator[str]:
    yield (
        f"- Canaries: the fine-tuned student reads, {cast.EXPOSURES} times each, an exchange for every one of {cast.QUESTIONS} slots: of "
        "half of them with the key's choice, of the others with any choice. The exchange is the question itself with the choice as the "
        "answer, written by the benchmark: a teacher of this size follows no instruction. The student is then asked by `stillwatch prove`, "
        "and samples its answers."
    )
    took = records["adoption"]
    yield (
        f"- Of the {took['collected']} choices that it collected, the fine-tuned student repeats {took['repeated']} when it is asked once "
        f"at temperature 1. Where half of all {cast.QUESTIONS} choices match, the same exact test gives p = "
        f"{power_of_ten(took['log10_p_at_half'])}."
    )
    yield (
        "- The fine-tuned student has no closed test. Sampled, it says little else than its exchanges: fewer than the 100 distinct "
        "pairs that the test takes, so that `stillwatch prove` refused to give a number."
    )
    yield (
        f"- Twins: {size.pairs:,} pairs of unmarked samples of the teacher by `marks.twins.serve`. A served one stands in the student's "
        "text once."
    )
    yield (
        "- One teacher, one student for each share, one key: a row is one draw, not a mean. Paraphrase, other tokenizers and larger models "
        "are not shown."
    )
    if size.name != "gpu":
        yield "- The larger version (`--size gpu`) needs an accelerator. It was not run: none was at hand."
    losses = ", ".join(f"{name} {record['loss']:.2f}" for name, record in records["students"].items())
    yield f"- Last training losses (nats): {losses}."


def _time(records: Records) -> Iterator[str]:
    """Of the steps alone, so that a run that was stopped and went on counts what it did and not how long it lay."""
    steps: dict[str, Any] = records["steps"]
    processor = sum(record["processor_s"] for record in steps.values())
    alone = steps["teacher"]["wall_s"]
    wall = alone + sum(record["wall_s"] for name, record in steps.items() if name != "teacher") / 2.0
    yield (
        f"{processor / 60:.1f} minutes of processor time, two processes of one thread each. On two cores that other work used as well, the "
        f"steps took {wall / 60:.0f} minutes of wall time, two at once after the teacher; on two idle cores it is about "
        f"{(steps['teacher']['processor_s'] + processor) / 120:.0f}. The budget is 40 minutes.\n"
    )
    yield "| step | processor s | wall s |\n|---|---:|---:|"
    for name, record in steps.items():
        yield f"| {name} | {record['processor_s']:.0f} | {record['wall_s']:.0f} |"
