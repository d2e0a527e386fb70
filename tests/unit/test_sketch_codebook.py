"""The subject space: the same for a seed, close for like texts, and without words that could identify somebody."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.sketch.codebook import LABEL_OWNERS, Codebook, fit_codebook, subject_text
from stillwatch.sketch.sketcher import session_rule
from stillwatch.stats.seeds import generator

_SUBJECTS = (
    "river delta sediment meander",
    "violin quartet sonata tempo",
    "enzyme protein membrane kinase",
    "mortgage interest lender equity",
)


def _sample(size: int = 600) -> tuple[list[str], list[str]]:
    chance = generator(5, "sample")
    texts: list[str] = []
    owners: list[str] = []
    for place in range(size):
        words = _SUBJECTS[place % len(_SUBJECTS)].split()
        picked = [words[index] for index in chance.integers(0, len(words), 12)]
        texts.append("please tell about " + " ".join(picked) + f" secretword{chr(97 + place % 26)}{chr(97 + place // 26)}")
        owners.append(f"owner-{place % 40}")
    return texts, owners


def _equal(one: Codebook, other: Codebook) -> bool:
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("rarity", "projection", "centres"))
    return arrays and one.labels == other.labels and one.texts == other.texts


def test_the_same_seed_gives_the_same_codebook() -> None:
    texts, owners = _sample()
    one, other = (fit_codebook(texts, owners, generator(9, "codebook"), cells=8) for _ in range(2))
    assert _equal(one, other)


@pytest.mark.slow
def test_another_seed_may_give_another_codebook() -> None:
    texts, owners = _sample()
    one, other = (fit_codebook(texts, owners, generator(seed, "codebook"), cells=8) for seed in (9, 10))
    assert not np.array_equal(one.projection, other.projection)


def test_labels_name_the_subjects_and_never_a_word_of_fewer_than_three_owners() -> None:
    texts, owners = _sample()
    texts += [f"{_SUBJECTS[0]} margaretthatcherson {_SUBJECTS[0]}"] * 200
    owners += ["owner-0"] * 100 + ["owner-1"] * 100
    codebook = fit_codebook(texts, owners, generator(9, "codebook"), cells=8)
    users: dict[str, set[str]] = {}
    for text, owner in zip(texts, owners, strict=True):
        for word in set(re.findall(r"[^\W\d_]+", text.lower())):
            users.setdefault(word, set()).add(owner)
    shown = {word for label in codebook.labels if not label.startswith("subject ") for word in label.split(", ")}
    assert shown & {word for subject in _SUBJECTS for word in subject.split()}
    assert all(len(users[word]) >= LABEL_OWNERS for word in shown)
    assert "margaretthatcherson" not in shown


def test_words_that_everybody_uses_say_nothing() -> None:
    from stillwatch.sketch.codebook import VOCABULARY
    from stillwatch.sketch.tokens import hash_words

    texts, owners = _sample()
    codebook = fit_codebook(texts, owners, generator(9, "codebook"), cells=8)
    common = hash_words("please tell about") % np.uint64(VOCABULARY)
    assert not codebook.rarity[common.astype(np.int64)].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "texts",
    [[], ["one text"], [""] * 200, ["the very same text about rivers"] * 200, ["字"] * 120, ["a", "b"] * 100],
    ids=["empty", "single", "blank", "identical", "short", "two"],
)
def test_odd_samples_give_a_codebook_all_the_same(texts: list[str]) -> None:
    codebook = fit_codebook(texts, ["owner"] * len(texts), generator(9, "codebook"), cells=128)
    assert len(codebook.labels) == len(codebook.centres) >= 1
    assert np.isfinite(codebook.centres).all()
    assert np.isfinite(codebook.projection).all()
    assert codebook.texts == len(texts)


@pytest.mark.slow
def test_cells_shrink_with_the_sample() -> None:
    texts, owners = _sample()
    assert len(fit_codebook(texts, owners, generator(9, "codebook"), cells=128).centres) <= 12
    assert len(fit_codebook(texts[:60], owners[:60], generator(9, "codebook"), cells=128).centres) == 1


def test_subject_is_read_from_the_response_and_from_a_short_one_s_prompt_too() -> None:
    long = "the answer " * 30
    assert subject_text("instruction", long) == long[:400]
    assert subject_text("instruction", "yes") == "instruction yes"
    assert subject_text(None, None).strip() == ""
    assert len(subject_text(None, "é" * 900).encode()) <= 400


def test_sessions_named_by_a_digest_of_the_prompt_are_recognised() -> None:
    import hashlib
    import uuid

    text = "What is the capital of the river?"
    data = text.encode()
    assert session_rule(hashlib.sha256(data).hexdigest(), text) == "sha256(prompt)"
    assert session_rule(hashlib.sha256(data).hexdigest()[:32].upper(), text) == "sha256(prompt)"
    assert session_rule(str(uuid.UUID(hashlib.sha256(data).hexdigest()[:32])), text) == "sha256(prompt)"
    assert session_rule(hashlib.sha1(data).hexdigest(), text) == "sha1(prompt)"
    assert session_rule(hashlib.md5(data).hexdigest(), text) == "md5(prompt)"
    assert session_rule(str(uuid.uuid5(uuid.NAMESPACE_URL, text)), text) == "uuid5(url, prompt)"
    assert session_rule(str(uuid.uuid5(uuid.NAMESPACE_DNS, text)), text) == "uuid5(dns, prompt)"
    assert session_rule(hashlib.sha256(b"other").hexdigest(), text) == "none"
    assert session_rule("12345678-1234-4234-8234-123456789abc", text) == "none"


def test_only_ids_that_look_like_digests_are_checked_and_of_them_a_fixed_share() -> None:
    import hashlib
    from datetime import UTC, datetime

    from stillwatch.engines.schema import arrow_schema
    from stillwatch.records.tables import EXCHANGES
    from stillwatch.sketch.sketcher import Sketcher

    prompts = [f"question number {chr(97 + place % 26)}{chr(97 + place // 26)} of the list" for place in range(400)]
    row = {"source": "native", "started_at": datetime(2026, 1, 1, tzinfo=UTC), "account_id": "a", "text_state": "full"}
    rows = [
        row | {"exchange_id": prompt, "prompt_text": prompt, "session_id": hashlib.md5(prompt.encode()).hexdigest()} for prompt in prompts
    ]
    rows += [row | {"exchange_id": f"c{place}", "prompt_text": "hello", "session_id": f"conversation-{place}"} for place in range(50)]
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(EXCHANGES))
    rules = Sketcher(fit_codebook([], [], generator(1, "codebook")))(batch).column("session_rule").to_pylist()
    assert set(rules[:400]) == {"md5(prompt)", None}
    assert 30 <= sum(rule is not None for rule in rules[:400]) <= 70
    assert rules[400:] == [None] * 50


def test_a_text_is_placed_by_the_words_of_responses_whatever_is_common_among_prompts() -> None:
    from datetime import UTC, datetime

    from stillwatch.engines.schema import arrow_schema
    from stillwatch.records.tables import EXCHANGES
    from stillwatch.sketch.codebook import VOCABULARY
    from stillwatch.sketch.sketcher import Sketcher
    from stillwatch.sketch.tokens import hash_words

    chance = generator(6, "placed")
    lexicon = ["".join(chr(97 + letter) for letter in chance.integers(0, 26, 6)) for _ in range(400)]
    responses = [" ".join(lexicon[index] for index in chance.integers(0, 400, 20)) for _ in range(600)]
    common = " ".join(lexicon[:200])
    codebook = fit_codebook(responses, ["owner"] * 600, generator(9, "codebook"), prompts=[common] * 600, cells=8)
    row = {"exchange_id": "e", "source": "native", "started_at": datetime(2026, 1, 1, tzinfo=UTC), "account_id": "a", "text_state": "full"}
    texts = responses[:40]
    batch = pa.RecordBatch.from_pylist(
        [row | {"prompt_text": "hello", "response_text": text} for text in texts], schema=arrow_schema(EXCHANGES)
    )
    sketched = Sketcher(codebook)(batch).to_pylist()
    for text, placed in zip(texts, sketched, strict=True):
        vector = codebook.projection[(hash_words(text[:400]) % np.uint64(VOCABULARY)).astype(np.int64)].sum(axis=0)
        vector /= np.linalg.norm(vector)
        assert np.abs(np.frombuffer(placed["embedding"], np.int8) - 127 * vector).max() < 0.6
        closeness = codebook.centres @ vector
        assert closeness[placed["subject"]] == pytest.approx(closeness.max(), abs=1e-5)
