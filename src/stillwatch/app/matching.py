"""A partner's profile against one's own logs: read, sketch, look up, say what was seen. Nothing of it leaves the house by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch import __version__
from stillwatch.app.alone import alone_in
from stillwatch.app.disk import room_in
from stillwatch.app.progress import Progress
from stillwatch.app.sketching import BATCH_ROWS
from stillwatch.app.stages import staged
from stillwatch.app.state import WORK, is_of, refuse_strangers, remove_folder, without_results, write_text
from stillwatch.errors import UnreadableInputError, UsageError
from stillwatch.ingest import IngestResult, IngestSettings, InputPlan, Shard, ingest, plan_inputs
from stillwatch.share.hashing import KEYED, Hashing, Keyed, Unkeyed
from stillwatch.share.matching import READ, Matcher
from stillwatch.share.parsing import ProfileError, parse_profile
from stillwatch.share.profile import MOST_BYTES, Profile
from stillwatch.share.tables import csv_text
from stillwatch.share.weighing import OBSERVATION, LocalAccount, MatchedGroup, MatchedIndicator, Worth, weighed
from stillwatch.sketch.codebook import fit_codebook
from stillwatch.sketch.sketcher import Sketcher
from stillwatch.stats.seeds import generator

MATCHES, LOCAL, QUARANTINE = "match.json", "accounts.csv", "quarantine.jsonl"
MATCH_RESULTS = (MATCHES, LOCAL, QUARANTINE)
_TEXTS = ("exchange_id", "account_id", "started_at", "client_ip", "user_agent", "tls_fingerprint", "system_text", "prompt_text")
_LOCAL_WORDS = "Your own accounts, for your own eyes: this file is not for the partner."


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRequest:
    """What a match is asked to do.

    Attributes:
        profile: file that a partner sent.
        paths: files, folders and patterns of one's own logs.
        format: a reader's name, or auto.
        out: the result folder.
        shared_key: the secret that both partners hold; None: the profile is not keyed.
    """

    profile: Path
    paths: tuple[Path, ...]
    format: str
    out: Path
    shared_key: Keyed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What was seen of a profile in one's own logs.

    Attributes:
        profile: what was matched.
        groups, indicators: what was seen.
        accounts: of one's own that carry rare indicators.
        own_accounts, exchanges: of the whole log.
        read: what became of every file.
        left_aside: files that were found and not read, with the reason.
    """

    profile: Profile
    groups: tuple[MatchedGroup, ...]
    indicators: tuple[MatchedIndicator, ...]
    accounts: tuple[LocalAccount, ...]
    own_accounts: int
    exchanges: int
    read: IngestResult
    left_aside: tuple[tuple[str, str], ...]


def match(request: MatchRequest, progress: Progress, *, now: datetime) -> Matched:
    """Read the profile, then the logs, and write match.json last; text lies in a work folder until then and is deleted.

    Raises ProfileError for a profile that cannot be used or another key, and StillwatchError subclasses for logs that cannot be read.
    """
    profile = read_profile(request.profile)
    hashing = _hashing(profile, request)
    plan = without_results(plan_inputs(request.paths, format=request.format), request.out)
    work = request.out / WORK
    refuse_strangers(request.out, "a match", ours=any(is_of(folder / MATCHES, "match") for folder in (request.out, work)))
    with alone_in(request.out), room_in(request.out, input_bytes=sum(file.bytes for file in (*plan.files, *plan.access_logs))):
        try:
            remove_folder(work)
            work.mkdir(mode=0o700)
            # a killed match leaves its work folder, and the next one has to know whose it is
            write_text(work / MATCHES, json.dumps({"command": "match"}))
            matched = _matched(request, profile, hashing, plan, progress)
            _write(request, matched, now=now)
            return matched
        finally:
            remove_folder(work)


def read_profile(path: Path) -> Profile:
    """The profile of a file. Raises UnreadableInputError for a file that is not there, ProfileError for what it holds."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name the file that the partner sent") from None
    return parse_profile(content, str(path))


def _hashing(profile: Profile, request: MatchRequest) -> Hashing:
    if profile.method != KEYED:
        if request.shared_key is not None:
            raise UsageError(f"{request.profile} was made without a key; leave out --shared-key")
        return Unkeyed()
    if request.shared_key is None:
        raise UsageError(f"{request.profile} was made under a key that you share with {profile.producer}; give --shared-key FILE")
    if request.shared_key.key_id != profile.key_id:
        found = f"{request.profile} was made under the key {profile.key_id}, and --shared-key holds the key {request.shared_key.key_id}"
        raise ProfileError(f"{found}; ask {profile.producer} which key it is")
    return request.shared_key


def _matched(request: MatchRequest, profile: Profile, hashing: Hashing, plan: InputPlan, progress: Progress) -> Matched:
    read, _ = staged(progress, "read", None, lambda tell: _read(plan, request, tell))
    rows = sum(file.rows_out for file in read.files)
    matcher = Matcher(profile, hashing)
    staged(progress, "match", rows, lambda tell: (_look(read.shards, matcher, tell), rows))
    seen = matcher.seen()
    indicators, groups, local = weighed(profile, seen)
    return Matched(
        profile=profile,
        groups=groups,
        indicators=indicators,
        accounts=local,
        own_accounts=len(seen.accounts),
        exchanges=seen.rows,
        read=read,
        left_aside=plan.left_aside(),
    )


def _read(plan: InputPlan, request: MatchRequest, tell: Callable[[int], None]) -> tuple[IngestResult, int]:
    result = ingest(plan, work=request.out / WORK, settings=IngestSettings(), progress=lambda rows, _bytes: tell(rows))
    rows = sum(file.rows_in for file in result.files)
    if not any(file.rows_out for file in result.files):
        result.quarantine.replace(request.out / QUARANTINE)
        raise UnreadableInputError(f"none of the {rows} rows could be read; see {request.out / QUARANTINE} for the reasons")
    return result, rows


def _look(shards: Sequence[Shard], matcher: Matcher, tell: Callable[[int], None]) -> None:
    """Sketch every batch and look it up. Fingerprints need no subjects, so the subject space is an empty one."""
    sketcher = Sketcher(fit_codebook([], [], generator(0, "no subjects")))
    done = 0
    for shard in shards:
        for batch in shard.batches(BATCH_ROWS, _TEXTS):
            matcher.add(sketcher(batch).select(list(READ)))
            done += batch.num_rows
            tell(done)


def _write(request: MatchRequest, matched: Matched, *, now: datetime) -> None:
    (request.out / MATCHES).unlink(missing_ok=True)
    rows = [(account.group, account.account_id, account.rare) for account in matched.accounts]
    write_text(request.out / LOCAL, csv_text(("group", "account", "rare_indicators"), rows))
    matched.read.quarantine.replace(request.out / QUARANTINE)
    seen = [_plain(asdict(found)) for found in matched.indicators if found.worth is not Worth.ABSENT]
    whole = match_json(matched) | {"made_at": now.isoformat(), "indicators": seen}
    write_text(request.out / MATCHES, json.dumps(whole, ensure_ascii=True, indent=1) + "\n")


def match_json(matched: Matched) -> dict[str, Any]:
    """The match as plain values: counts of accounts and none of their names."""
    profile, files = matched.profile, matched.read.files
    return {
        "command": "match",
        "version": __version__,
        "profile": {
            "id": profile.id,
            "producer": profile.producer,
            "created": profile.created,
            "tlp": profile.tlp,
            "key_id": profile.key_id,
        },
        "notice": profile.notice,
        "words": OBSERVATION,
        "exchanges": matched.exchanges,
        "accounts": matched.own_accounts,
        "rows_in": sum(file.rows_in for file in files),
        "quarantined": sum(file.quarantined for file in files),
        "quarantine_reasons": dict(sorted(matched.read.reasons.items())),
        "files": [asdict(file) for file in files],
        "inputs": matched.read.input_hashes,
        "left_aside": [{"path": path, "reason": reason} for path, reason in matched.left_aside],
        "groups": [_plain(asdict(group)) for group in matched.groups],
        "local_accounts": {"file": LOCAL, "words": _LOCAL_WORDS},
    }


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in record.items()}
