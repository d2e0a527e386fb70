"""Speed and error rates of screening: `make bench-screen`; results into benchmarks/SCREEN.md.

Speeds are per core (processor time of one thread), the best of several runs. Other tools are measured in the same run where they are
installed. Error rates need the public conversations beside the project; without them that part is left out and says so.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.app.progress import Quiet
from stillwatch.app.screening import ScreenRequest, screen
from stillwatch.marks.green_list import is_green
from stillwatch.marks.gumbel import scores
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.screen.leads import find_leads, shipped_leads
from stillwatch.screen.marked import GREEN_LIST, GUMBEL, Mark, watermark_scores
from stillwatch.screen.reference import Reference, build_reference, match
from stillwatch.screen.wording import Wording
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.stats.seeds import generator

HERE = Path(__file__).parent
REAL = HERE.parents[1] / "shared" / "data" / "prompts.parquet"
SERVED = "alpaca_eval:gpt-4o-2024-05-13"
UNRELATED = ("cnn_dailymail", "hh_rlhf", "chatdoctor", "lawyer_advice", "gsm8k_train", "oasst")
EDITS = (0.0, 0.02, 0.05, 0.1, 0.2)
SCAN_REACH, MATCH_REACH = 10e6, 20e6
KEY = MarkKey(generator(1, "bench screen").bytes(32))
Lines = list[str]


def best(work: Callable[[], Any], runs: int = 5) -> float:
    """Least processor seconds of several runs; the first compiles and does not count."""
    work()
    taken: list[float] = []
    for _ in range(runs):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def by_numpy(documents: list[np.ndarray], mark: Mark) -> None:
    """The same test with the marks' own functions and numpy's unique, a document at a time."""
    for ids in documents:
        pairs = np.unique(np.column_stack([context_seeds(ids, mark.width), ids[mark.width :].astype(np.uint64)]), axis=0)
        if mark.kind == GREEN_LIST:
            is_green(KEY, pairs[:, 0], pairs[:, 1], mark.gamma).sum()
        else:
            scores(KEY, pairs[:, 0], pairs[:, 1]).sum()


def scan_speed() -> Iterator[str]:
    """Tokens per second of the watermark pass, and of numpy on a part of them."""
    yield "| mark | context | million tokens/s per core | numpy | ratio |\n|---|---:|---:|---:|---:|"
    draw = generator(1, "bench tokens")
    ids = (draw.zipf(1.2, 4_000_000) % 50_000).astype(np.uint32)
    offsets = np.arange(0, ids.size + 1, 1000)
    few = [ids[start : start + 1000] for start in range(0, 200_000, 1000)]
    for kind in (GREEN_LIST, GUMBEL):
        for width in (1, 2, 4):
            mark = Mark(kind=kind, key=KEY, width=width, gamma=0.25)
            ours = ids.size / best(lambda mark=mark: watermark_scores(ids, offsets, mark, least_scored=50))
            theirs = 200_000 / best(lambda mark=mark: by_numpy(few, mark), 3)
            met = "" if ours >= SCAN_REACH else " (below the reach of 10)"
            yield f"| {kind} | {width} | {ours / 1e6:.1f}{met} | {theirs / 1e6:.2f} | {ours / theirs:.0f} |"


def made_texts(count: int = 20_000) -> pa.Array:
    """Texts of made-up words, where there are no real ones."""
    draw = generator(2, "bench texts")
    words = np.array(["".join(draw.choice(list("etaoinshrdlu"), draw.integers(2, 9))) for _ in range(20_000)])
    return pa.array([" ".join(words[draw.zipf(1.15, 150) % words.size]) for _ in range(count)], pa.large_string())


def index_of(folder: Path, name: str, rows: pa.Table) -> Reference:
    """An index of responses with their prompts."""
    table = pa.table(
        {
            "exchange_id": pa.array([str(place) for place in range(len(rows))]),
            "account_id": pa.nulls(len(rows), pa.string()),
            "prompt_text": rows["prompt"].combine_chunks(),
            "response_text": rows["response"].combine_chunks(),
            "reasoning_text": pa.nulls(len(rows), pa.string()),
        }
    )
    return build_reference(folder / name, table.to_batches(), most_common=32, least_words=12)


def match_speed(folder: Path, rows: pa.Table) -> Iterator[str]:
    """MB per second of reading wording and matching it, of leads, and of other tools' fingerprints."""
    texts = rows["response"].combine_chunks().cast(pa.large_string())
    index = index_of(folder, "speed", rows)
    size = pc.sum(pc.binary_length(texts)).as_py()
    taken = best(lambda: match(Wording(texts), index, least_words=12))
    met = "" if size / taken >= MATCH_REACH else " (below the reach of 20)"
    yield f"{size / 1e6:.1f} MB in {len(texts):,} texts against {index.responses:,} responses with {index.keys.size:,} sampled shingles.\n"
    yield "| work | MB/s per core | ours is faster by |\n|---|---:|---:|"
    yield f"| wording and match | {size / taken / 1e6:.1f}{met} | |"
    leads = best(lambda: find_leads(texts, shipped_leads()), 2)
    yield f"| leads | {size / leads / 1e6:.1f} | |"
    few = texts.slice(0, 1500).to_pylist()
    small = sum(len(text.encode()) for text in few)
    for name, sketch in other_sketches():
        theirs = best(lambda sketch=sketch: [sketch(text) for text in few], 1)
        yield f"| {name}, fingerprints alone | {small / theirs / 1e6:.2f} | {(size / taken) / (small / theirs):.0f} times |"


def shingles(text: str) -> list[str]:
    """The same shingles as strings, as other tools take them."""
    words = text.lower().split()
    return [" ".join(words[start : start + 8]) for start in range(max(1, len(words) - 7))]


def other_sketches() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Fingerprints of other tools that are installed."""
    try:
        from datasketch import MinHash

        def datasketch(text: str) -> Any:
            made = MinHash(num_perm=128)
            made.update_batch([shingle.encode() for shingle in shingles(text)])
            return made

        yield "datasketch MinHash, 128 permutations", datasketch
    except ImportError:
        pass
    try:
        from rensa import RMinHash

        def rensa(text: str) -> Any:
            made = RMinHash(num_perm=128, seed=42)
            made.update(shingles(text))
            return made

        yield "rensa RMinHash, 128 permutations", rensa
    except ImportError:
        pass


def near(index: Reference, texts: pa.Array, share: float = 0.5, least: int = 3) -> int:
    """How many texts match."""
    found = match(Wording(texts), index, least_words=12)
    held = (found.shared >= least) & (np.maximum(found.of_document, found.of_response) >= share)
    return int(np.count_nonzero(held | (found.exact >= 0)))


def by_minhash(served: list[str]) -> Callable[[list[str]], int] | None:
    """Near-duplicates by datasketch: estimated resemblance of at least one half, found by banding."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        return None

    def made(text: str) -> Any:
        sketch = MinHash(num_perm=128)
        sketch.update_batch([shingle.encode() for shingle in shingles(text)])
        return sketch

    index = MinHashLSH(threshold=0.5, num_perm=128)
    sketches = [made(text) for text in served]
    for place, sketch in enumerate(sketches):
        index.insert(place, sketch)

    def count(texts: list[str]) -> int:
        found = 0
        for text in texts:
            sketch = made(text)
            found += any(sketches[place].jaccard(sketch) >= 0.5 for place in index.query(sketch))
        return found

    return count


def rate(hits: int, texts: int) -> str:
    """A rate with its exact 95 % interval."""
    low, high = clopper_pearson(hits, texts)
    return f"{hits:,} of {texts:,} ({100 * low:.2g} – {100 * high:.2g} %)"


def edited(texts: list[str], share: float, seed: int) -> list[str]:
    """The texts with a share of their words replaced, independently."""
    draw = generator(seed, "edits")
    return [" ".join(word if draw.random() >= share else "changed" for word in text.split(" ")) for text in texts]


def error_rates(folder: Path, rows: pa.Table) -> Iterator[str]:
    """False matches and misses on real conversations."""
    answers = rows.filter(pc.starts_with(rows["corpus"], "alpaca_eval:"))
    mine = answers.filter(pc.equal(answers["corpus"], SERVED))
    others = answers.filter(pc.not_equal(answers["corpus"], SERVED))["response"].combine_chunks()
    index, everyone = index_of(folder, "one", mine), index_of(folder, "all", answers)
    served = mine["response"].to_pylist()
    minhash = by_minhash(served)
    yield "Texts that nobody copied, matched as near or exact:\n"
    yield "| texts | against | matched (95 % interval) |\n|---|---|---:|"
    models = len(pc.unique(answers["corpus"]))
    yield f"| answers of {models - 1} other models to the same prompts | one model's answers | {rate(near(index, others), len(others))} |"
    for corpus in UNRELATED:
        part = rows.filter(pc.equal(rows["corpus"], corpus))["response"].combine_chunks()
        yield f"| `{corpus}` responses | all {models} models' answers | {rate(near(everyone, part), len(part))} |"
    yield "\nThe same hard set at other thresholds (share of wording, least shared shingles):\n"
    yield "| share | least | matched |\n|---:|---:|---:|"
    for share in (0.2, 0.3, 0.5, 0.7):
        for least in (2, 3, 4):
            yield f"| {share} | {least} | {near(index, others, share, least):,} |"
    yield f"\nCopies that are found, of {len(served):,} answers:\n"
    yield "| what was done to the answer | ours | datasketch, resemblance 0.5 |\n|---|---:|---:|"
    for name, texts in copies(served):
        theirs = "not installed" if minhash is None else f"{100 * minhash(texts) / len(texts):.1f} %"
        yield f"| {name} | {100 * near(index, pa.array(texts, pa.large_string())) / len(texts):.1f} % | {theirs} |"
    if minhash is not None:
        few = others.slice(0, 3000).to_pylist()
        yield f"| nothing: other models' answers, false | {near(index, pa.array(few)):,} of 3,000 | {minhash(few):,} of 3,000 |"


def copies(served: list[str]) -> Iterator[tuple[str, list[str]]]:
    """What becomes of a served answer on its way into a corpus."""
    for share in EDITS:
        yield f"{100 * share:g} % of the words replaced" if share else "nothing", edited(served, share, 1)
    yield "first half kept", [text[: len(text) // 2] for text in served]
    around = [(served[place - 1], served[place - 2]) for place in range(len(served))]
    strangers = [edited([left + " " + right], 0.9, place)[0] for place, (left, right) in enumerate(around)]
    yield "within a document three times as long", [f"{other} {text} {other}" for text, other in zip(served, strangers, strict=True)]


def whole_run(folder: Path, rows: pa.Table) -> Iterator[str]:
    """Wall time of `stillwatch screen` over JSON Lines and Parquet with a served log."""
    corpus, log = folder / "corpus", folder / "log"
    corpus.mkdir()
    log.mkdir()
    texts = rows["response"].to_pylist()
    with (corpus / "a.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    pq.write_table(pa.table({"text": texts}), corpus / "b.parquet")
    with (log / "a.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(
            json.dumps({"exchange_id": f"x{place}", "account_id": "a", "started_at": "2026-03-01T00:00:00Z", "response_text": text}) + "\n"
            for place, text in enumerate(texts[:5000])
        )
    size = 2 * sum(len(text.encode()) for text in texts)
    start, started = time.perf_counter(), time.process_time()
    screen(ScreenRequest(paths=(corpus,), out=folder / "out", log=(log,)), Quiet(), now=datetime.now(UTC))
    seconds, busy = time.perf_counter() - start, time.process_time() - started
    yield f"`stillwatch screen` over {size / 1e6:.0f} MB of text (JSON Lines, Parquet) with a log of 5,000 responses, everything written:"
    yield f"{seconds:.1f} s of wall time and {busy:.1f} s of processor time, {size / busy / 1e6:.1f} MB/s per core."


def sections(folder: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """What is measured."""
    yield "Watermark scan on token ids", scan_speed()
    if REAL.exists():
        rows = pq.read_table(REAL, columns=["corpus", "prompt", "response"])
        rows = rows.filter(pc.and_kleene(pc.is_valid(rows["response"]), pc.greater(pc.binary_length(rows["response"]), 60)))
    else:
        texts = made_texts()
        corpus = pa.repeat(pa.scalar("made"), len(texts))
        rows = pa.table({"corpus": corpus, "prompt": pa.nulls(len(texts), pa.string()), "response": texts})
    yield "Near-duplicate match", match_speed(folder, rows)
    yield "A whole run", whole_run(folder, rows)
    if REAL.exists():
        yield "Error rates on public conversations", error_rates(folder, rows)
    else:
        yield "Error rates on public conversations", iter(["Left out: the public conversations do not lie beside the project."])


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "SCREEN.md")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="stillwatch-bench-screen-"))
    lines: Lines = [
        "# Screening: speed and error rates",
        "",
        "Made by `make bench-screen`; reach: 10 million tokens/s and 20 MB/s per core.",
    ]
    try:
        for title, found in sections(folder):
            lines += ["", f"## {title}", ""]
            for line in found:
                print(line, flush=True)
                lines.append(line)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    given.out.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
