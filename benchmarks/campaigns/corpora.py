"""The public corpora, cut into a tune and a report split that share no corpus, no template, no prompt and no arrival user.

The loader reads two Parquet files of one folder. Both can be built from public sources:

`prompts.parquet`, one row per request: `corpus, use, conversation, turn, system, prompt, response`. Corpora and where they come from:
Stanford Alpaca (5k subset), Code Alpaca, Alpaca samples of GPT-4-LLM (en, zh), ChatDoctor, Lawyer LLaMA, LLM-Adapters (`math_cot` and the
test sets `eval_*`), OpenAssistant (`oasst`, `oasst_zh`), HH-RLHF harmless-base, InstructionWild, GSM8K, HumanEval, AlpacaEval
(`alpaca_eval:MODEL`), the T0 training templates (`t0:TEMPLATE`), WMT16 de-en and CNN/DailyMail. `use` is what the traffic was:
distillation, organic, evaluation or bulk.

`arrivals.parquet`: `trace, seconds, user`, of which the trace `genai_users` (Alibaba cluster-trace-v2026-GenAI) is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from campaigns.errors import MissingCorporaError
from campaigns.inputs import kept_rows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PROMPTS, ARRIVALS = "prompts.parquet", "arrivals.parquet"
LEAST_REQUESTS_OF_A_CLOCK = 8
# templates are named after their data set; the cut falls between two data sets
TEMPLATE_CUT = "t0:p"
CJK_SHARE = 0.2
_CJK = (0x3400, 0x9FFF)

IntRows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which corpora a split may use.

    Attributes:
        payload: what campaigns send; part of each goes to honest customers, so that no corpus gives anyone away.
        organic: what people wrote for themselves.
        evaluation: test sets, each sent whole by evaluators.
        pipelines: bulk corpora of one task.
    """

    name: str
    payload: tuple[str, ...]
    organic: tuple[str, ...]
    evaluation: tuple[str, ...]
    pipelines: tuple[str, ...]


TUNE = Split(
    name="tune",
    payload=("alpaca", "lawyer_advice", "lawyer_zixun", "gsm8k_train"),
    organic=("oasst", "oasst_zh", "instruction_wild"),
    evaluation=("gsm8k_test", "eval_boolq", "eval_ARC-Easy", "eval_piqa", "eval_winogrande", "human_eval"),
    pipelines=("wmt16_de_en",),
)
REPORT = Split(
    name="report",
    payload=("chatdoctor", "lawyer_exam", "lawyer_fakao", "lawyer_counsel", "math_cot", "alpaca_gpt4_en", "alpaca_gpt4_zh", "code_alpaca"),
    organic=("hh_rlhf",),
    evaluation=(
        *("eval_AQuA", "eval_AddSub", "eval_MultiArith", "eval_SVAMP", "eval_SingleEq", "eval_mathqa", "eval_mawps", "eval_openbookqa"),
        *("eval_social_i_qa", "eval_ARC-Challenge", "alpaca_eval"),
    ),
    pipelines=("cnn_dailymail",),
)
SPLITS = {split.name: split for split in (TUNE, REPORT)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpora:
    """The rows of one split, by position.

    Attributes:
        prompts, responses: [n] text; a response may be None.
        corpus, conversation: [n] names.
        turn: [n] from 0, within the conversation.
        chinese: [n] whether the prompt is mostly in Chinese characters: the language that payloads must be matched on.
        clocks: seconds since the trace's start at which one real user sent requests, per user.
        digest: of what was read, for the record.
    """

    split: Split
    prompts: NDArray[Any]
    responses: NDArray[Any]
    corpus: NDArray[np.str_]
    conversation: NDArray[np.str_]
    turn: IntRows
    chinese: NDArray[np.bool_]
    clocks: tuple[NDArray[np.float64], ...]
    digest: str

    def rows(self, corpora: Iterable[str]) -> IntRows:
        """Positions of all rows of these corpora; a name before a colon stands for all that begin with it."""
        names = list(corpora)
        heads = np.array([name.split(":")[0] for name in self.corpus.tolist()])
        return np.flatnonzero(np.isin(self.corpus, names) | np.isin(heads, [name for name in names if ":" not in name]))

    def templates(self) -> tuple[str, ...]:
        """Names of the templates of one honest product each."""
        return tuple(name for name in np.unique(self.corpus).tolist() if name.startswith("t0:"))


def load(folder: Path, split: Split) -> Corpora:
    """The rows and clocks of `split`.

    Raises MissingCorporaError where the files are not there.
    """
    for name in (PROMPTS, ARRIVALS):
        if not (folder / name).exists():
            raise MissingCorporaError(
                f"{folder} has no {name}; this benchmark is composed of public corpora that are no part of the project"
            )
    table = pq.read_table(folder / PROMPTS)
    mine = of_split(table, split)
    if split is REPORT:
        mine = without_prompts_of(mine, of_split(table, TUNE))
    mine = with_one_product_per_input(mine)
    return corpora_of(mine, clocks_of(pq.read_table(folder / ARRIVALS), split), split)


def of_split(table: pa.Table, split: Split) -> pa.Table:
    """The rows whose corpus or template belongs to `split`."""
    names = set(split.payload) | set(split.organic) | set(split.evaluation) | set(split.pipelines)
    every = table["corpus"].unique().to_pylist()
    kept = [
        name for name in every if name in names or name.split(":")[0] in names or (name.startswith("t0:") and _side(name) == split.name)
    ]
    return table.filter(pc.is_in(table["corpus"], value_set=pa.array(kept, pa.string())))


def without_prompts_of(table: pa.Table, other: pa.Table) -> pa.Table:
    """The rows of `table` whose prompt stands nowhere in `other`: some corpora are samples of one source."""
    known = pc.is_in(pc.utf8_lower(table["prompt"]), value_set=pc.utf8_lower(other["prompt"]).combine_chunks())
    return table.filter(pc.invert(known))


def with_one_product_per_input(table: pa.Table) -> pa.Table:
    """The rows of `table` without those of templates whose input another template has."""
    names = np.array(table["corpus"].to_pylist())
    product = np.flatnonzero(np.char.startswith(names, "t0:"))
    kept = np.ones(len(table), bool)
    kept[product] = kept_rows([text or "" for text in table["prompt"].take(pa.array(product)).to_pylist()], names[product])
    return table.filter(pa.array(kept))


def corpora_of(table: pa.Table, clocks: tuple[NDArray[np.float64], ...], split: Split) -> Corpora:
    """A table of prompts as arrays."""
    prompts = [text or "" for text in table["prompt"].to_pylist()]
    digest = hashlib.sha256()
    for text in prompts:
        digest.update(text.encode())
    return Corpora(
        split=split,
        prompts=np.array(prompts, dtype=object),
        responses=np.array(table["response"].to_pylist(), dtype=object),
        corpus=np.array(table["corpus"].to_pylist()),
        conversation=np.array(table["conversation"].to_pylist()),
        turn=table["turn"].to_numpy().astype(np.int64),
        chinese=np.array([is_chinese(text) for text in prompts]),
        clocks=clocks,
        digest=digest.hexdigest(),
    )


def clocks_of(arrivals: pa.Table, split: Split) -> tuple[NDArray[np.float64], ...]:
    """When each user of the split's half of the users sent requests; users with too few are left out."""
    users = arrivals.filter(pc.field("trace") == "genai_users")
    names = np.array(users["user"].to_pylist())
    seconds = users["seconds"].to_numpy()
    order = np.argsort(names, kind="stable")
    parts = np.split(seconds[order], np.flatnonzero(names[order][1:] != names[order][:-1]) + 1)
    owners = np.unique(names).tolist()
    return tuple(
        part.astype(np.float64)
        for owner, part in zip(owners, parts, strict=True)
        if len(part) >= LEAST_REQUESTS_OF_A_CLOCK and _half(owner) == split.name
    )


def is_chinese(text: str) -> bool:
    """Whether a fifth of the first 200 characters are Chinese."""
    head = text[:200]
    return sum(_CJK[0] <= ord(sign) <= _CJK[1] for sign in head) > CJK_SHARE * max(1, len(head))


def _side(template: str) -> str:
    return TUNE.name if template < TEMPLATE_CUT else REPORT.name


def _half(user: str) -> str:
    return TUNE.name if hashlib.sha256(user.encode()).digest()[0] % 2 == 0 else REPORT.name
