"""A gateway serves a month of marked answers over a shaky endpoint; a rival that was trained on them is told from one that was not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from stillwatch.app.marking import load_families, load_master
from stillwatch.app.pair_files import append_pair, read_pairs
from stillwatch.app.private_files import create_private
from stillwatch.cli import main
from stillwatch.marks.canaries import instruction, match_answers
from stillwatch.marks.canary_families import all_slots
from stillwatch.marks.keys import MasterSecret, derive, master_text
from stillwatch.marks.openai_twins import answer_text, serve_chat
from stillwatch.marks.twins import TwinKey, unblind
from stillwatch.stats.seeds import generator

REQUESTS, SHARE = 600, 0.5
PERIOD = "2026-11"


class Endpoint:
    """Answers with some of eight words, and fails or stalls now and then; a first call that fails is asked again, as a gateway does."""

    def __init__(self) -> None:
        self.draw = generator(21, "endpoint")

    async def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        fate = self.draw.random()
        words = " ".join(self.draw.choice(list("abcdefgh"), 3))
        if fate < 0.05:
            raise ConnectionError("the endpoint went away")
        if fate < 0.08:
            await asyncio.sleep(3600)
        return {"choices": [{"message": {"role": "assistant", "content": words}}]}


async def _month(path: Path, twin_key: TwinKey) -> dict[str, str]:
    """Serve every request; what each customer got."""
    endpoint, got = Endpoint(), dict[str, str]()
    for place in range(REQUESTS):
        body = {"model": "m", "messages": [{"role": "user", "content": f"question {place}"}]}
        names = {"request_id": f"r{place}", "account_id": f"account-{place % 7}", "at": "2026-11-25T00:00:00Z"}
        while names["request_id"] not in got:
            try:
                served = await asyncio.wait_for(serve_chat(endpoint, body, **names, twin_key=twin_key, patience_s=0.005), timeout=0.05)
            except (ConnectionError, TimeoutError):
                continue  # the first sample failed or stalled: the same as without twins
            text = answer_text(served.response)
            assert text is not None
            got[names["request_id"]] = text
            if served.pair is not None:
                append_pair(path, served.pair)
    return got


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A master secret that is the same in every run, so that chance fails no test."""
    path = tmp_path / "master.key"
    create_private(path, master_text(MasterSecret(generator(21, "master").bytes(32))))
    return path


@pytest.mark.slow
def test_marked_answers_tell_who_was_trained_on_them(key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs_file = tmp_path / "pairs.jsonl"
    master = load_master(key_file)
    key = derive(master, purpose="twins", account=None, period=PERIOD)
    got = asyncio.run(_month(pairs_file, TwinKey(key=key, period=PERIOD, share=SHARE)))
    assert len(got) == REQUESTS

    capsys.readouterr()
    assert main(["mark", "twins", str(pairs_file), "--key", str(key_file), "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert checked["repeated_requests"] == checked["torn_lines"] == 0
    assert checked["usable"] > 150

    opened = unblind(key, read_pairs(pairs_file).pairs)
    assert [got[pair.request_id] for pair in opened.pairs] == list(opened.served)
    assert not [pair for pair, withheld in zip(opened.pairs, opened.withheld, strict=True) if got[pair.request_id] == withheld]

    # one rival knows what was served of four requests in five, the other has tastes of its own
    memory = {name: text for place, (name, text) in enumerate(got.items()) if place % 5}
    for trained, low, high in ((True, 0.0, 1e-9), (False, 1e-4, 1.0)):
        preferred = 0
        for pair, served, withheld in zip(opened.pairs, opened.served, opened.withheld, strict=True):
            recalled = memory.get(pair.request_id) if trained else None
            preferred += served == recalled or (recalled is None and served > withheld)
        assert low <= stats.binom.sf(preferred - 1, len(opened.pairs), 0.5) <= high


def test_a_student_that_adopted_half_of_the_choices_is_told_from_one_with_habits(key_file: Path) -> None:
    slots = all_slots(load_families([]))
    key = derive(load_master(key_file), purpose="canaries", account="acme", period=PERIOD)
    habits = {slot.id: slot.variants[-1] for slot in slots}
    adopted = {slot.id: instruction(key, [slot], f"about {slot.when[0]}") for slot in slots[::2]}
    for answers, low, high in ((habits | adopted, 0.0, 1e-6), (habits, 1e-4, 1.0)):
        matched = sum(match.matched for match in match_answers(key, slots, answers))
        assert low <= stats.binom.sf(matched - 1, len(slots), 1 / 16) <= high
