"""Runs the benchmark: `python -m proving` with the benchmarks folder on the path.

A finished step is kept under `bench-out/proving/` and not done again. The tune split is for settling statistic, reference and weights; the
confirm split takes them as they are, with a seed and keys of its own, and writes PROVE.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from proving.settings import DATA, PAGE, SEEDS, SIZES

STEPS_AT_ONCE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and write the page."""
    given = _parser().parse_args(arguments)
    try:
        import torch
        import transformers  # noqa: F401 - looked for
    except ImportError:
        print("skipped: torch and transformers are not installed; install them with: pip install 'stillwatch[models]'")
        return 0
    if given.size == "gpu" and not torch.cuda.is_available():
        print("skipped: --size gpu needs an accelerator that torch can use, and there is none")
        return 0
    from proving import page, pictures
    from proving.work import Bench

    seed = given.seed or SEEDS[given.split]
    folder = given.out / f"{given.size}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    device = "cuda" if given.size == "gpu" else "cpu"
    bench = Bench(size=SIZES[given.size], seed=seed, folder=folder, data=given.data, device=device)
    records = run(bench)
    (folder / "records.json").write_text(json.dumps(records), encoding="utf-8")
    target = PAGE if given.split == "confirm" and given.size == "cpu" and not given.seed else folder / PAGE.name
    pictures.reach(records["proofs"], target.with_name("PROVE-reach.svg"))
    pictures.innocents({name: record["masses"] for name, record in records["innocence"].items()}, target.with_name("PROVE-innocents.svg"))
    target.write_text(page.text(records, bench.size, seed, given.split), encoding="utf-8")
    print(f"written: {target}")
    return 0


def run(bench: Any) -> dict[str, Any]:
    """Every step, two at a time; the records."""
    from proving import cast, detectors, innocence, proofs, work

    steps: dict[str, Any] = {}
    innocents = [student for student in cast.STUDENTS if student.innocent]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1 if bench.device == "cuda" else STEPS_AT_ONCE, mp_context=context, initializer=detectors.quiet) as pool:

        def side_by_side(jobs: Sequence[tuple[str, Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
            waiting = [(name, pool.submit(work.step, bench, name, work.Job(does, args))) for name, does, args in jobs]
            for name, job in waiting:
                steps[name] = job.result()
                print(f"{name}: {steps[name]['processor_s']:.0f} s of processor time, {steps[name]['wall_s']:.0f} s", flush=True)
            return [steps[name] for name, _ in waiting]

        (teacher,) = side_by_side([("teacher", work.prepare, ())])
        kinds = (cast.MARKED, cast.UNMARKED, cast.OTHER)
        side_by_side([*((f"answers-{kind}", work.make_answers, (kind,)) for kind in kinds), ("pairs", work.make_twins, ())])
        proofs.write_questions(bench)
        side_by_side([(f"train-{student.name}", work.train_student, (student,)) for student in cast.STUDENTS if not student.base])
        side_by_side([(f"train-{student.name}", work.tune_student, (student,)) for student in cast.STUDENTS if student.base])
        proved = side_by_side([(f"prove-{student.name}", proofs.prove_student, (student,)) for student in cast.STUDENTS])
        jobs = [("detectors", detectors.compare, ()), *((f"keys-{student.name}", innocence.over_keys, (student,)) for student in innocents)]
        compared, *tried = side_by_side(jobs)
    names = [student.name for student in cast.STUDENTS]
    return {
        "teacher": teacher,
        "students": {name: steps[f"train-{name}"] for name in names},
        "proofs": dict(zip(names, proved, strict=True)),
        "innocence": dict(zip((student.name for student in innocents), tried, strict=True)),
        "adoption": next(proofs.adoption(bench, student) for student in cast.STUDENTS if student.base),
        "detectors": compared,
        "steps": {name: {part: record[part] for part in ("processor_s", "wall_s")} for name, record in steps.items()},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proving", description=__doc__)
    parser.add_argument("--split", choices=sorted(SEEDS), default="tune")
    parser.add_argument("--size", choices=sorted(SIZES), default="cpu")
    parser.add_argument("--seed", type=int, help="another seed; the page then stays in the output folder")
    parser.add_argument("--data", type=Path, default=DATA, help="human text (Parquet); the simulator's where it is absent")
    parser.add_argument("--out", type=Path, default=Path("bench-out/proving"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
