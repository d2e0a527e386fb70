"""`stillwatch export` and `stillwatch match`: findings for partners and other tools, and a partner's indicators in one's own logs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import Actor, Log, LogKey, Why, named_actor, progress, recorder_of, said, stoppable

if TYPE_CHECKING:
    from stillwatch.app.exporting import ExportRequest
    from stillwatch.app.recording import Recorder

_INTERRUPTED = "interrupted; nothing was kept: run the same command again"

SharedKey = Annotated[
    Path | None, typer.Option(help="Key file that you and the partner both hold, and nobody else; made by stillwatch mark keys.")
]
Json = Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")]
Formats = Annotated[list[str], typer.Option(help="ocsf, stix, misp, sigma, csv or profile; repeatable.")]
Recipient = Annotated[str | None, typer.Option(help="Who it is for; accounts get pseudonyms that hold for this recipient alone.")]
Key = Annotated[
    Path | None, typer.Option(help="Master secret that pseudonyms are derived from; default: the variable STILLWATCH_MASTER_KEY.")
]
KeepIdentifiers = Annotated[
    bool, typer.Option("--keep-identifiers", help="Keep the identifiers of accounts: for use within the house, not to be passed on.")
]
Unkeyed = Annotated[
    bool, typer.Option("--unkeyed", help="Hash a profile without a key: whoever has it can then try out texts that he guesses.")
]
Tlp = Annotated[str, typer.Option(help="Marking of the Traffic Light Protocol 2.0: clear, green, amber, amber+strict or red.")]


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of a scan.")],
    format: Formats,  # noqa: A002
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files; made if it is not there.")] = Path("share-out"),
    recipient: Recipient = None,
    key: Key = None,
    keep_identifiers: KeepIdentifiers = False,
    shared_key: SharedKey = None,
    unkeyed: Unkeyed = False,
    producer: Annotated[str, typer.Option(help="Your name, as recipients are to read it.")] = "unnamed provider",
    tlp: Tlp = "amber",
    log: Log = None,
    log_key: LogKey = None,
    actor: Actor = None,
    why: Why = None,
    as_json: Json = False,
) -> None:
    """Write the findings of a scan for a partner or another tool: OCSF, STIX, MISP, Sigma, CSV, or a profile of indicators.

    No text of a prompt or response leaves. Accounts, exchanges and groups get pseudonyms per recipient, unless --keep-identifiers. A
    profile names no account at all. With --log it is recorded what left, to whom, by whom (--as) and why (--why). Exit status: 0 done,
    also where the scan was too small for Sigma and other formats were written; 1 failed, or too small for Sigma alone; 2 wrong usage.

    \b
    stillwatch export result --format stix --format misp --recipient acme-labs --key master.key
    stillwatch export result --format profile --shared-key partner.key --producer "Example Models"
    """
    from stillwatch.app.export_requesting import export_request

    recorder = recorder_of(log, log_key)
    who = (named_actor(actor), said(why)) if recorder else ("", "")
    given: dict[str, Any] = {"recipient": recipient, "key": key, "shared_key": shared_key, "producer": producer, "tlp": tlp}
    request = export_request(folder, formats=format, out=out, keep_identifiers=keep_identifiers, unkeyed=unkeyed, **given)
    _exported(request, recorder, who, as_json=as_json)


def _exported(request: ExportRequest, recorder: Recorder | None, who: tuple[str, str], *, as_json: bool) -> None:
    """Write the files, record that they were, and say so."""
    from stillwatch.app.exporting import export as run
    from stillwatch.share.hashing import UNKEYED_WARNING

    with stoppable(_INTERRUPTED), progress(quiet=as_json) as shown:
        manifest = run(request, shown)
        if recorder is not None:
            shown.note(f"Recorded in {recorder.folder}: record {recorder.export(manifest, by=who[0], why=who[1])}.")
    if request.hashing is not None and request.hashing.key_id is None:
        new_console(stderr=True).print(UNKEYED_WARNING, markup=False, soft_wrap=True)
    if as_json:
        print_json(manifest | {"folder": str(request.out)})
        return
    from stillwatch.app.showing_match import export_lines

    new_console(stderr=False).print(export_lines(manifest, request.out))


def match(
    profile: Annotated[Path, typer.Argument(metavar="PROFILE", help="Profile that a partner made with stillwatch export.")],
    logs: Annotated[list[str], typer.Argument(metavar="LOGS", help="Your own logs: files, folders or patterns as scan reads them.")],
    shared_key: SharedKey = None,
    format: Annotated[str, typer.Option(help="Reader of the logs; auto looks at each file.")] = "auto",  # noqa: A002
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if it is not there.")] = Path("match-out"),
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Say which of a partner's indicators occur in your own logs: how many exchanges, how many accounts, since when.

    An indicator that more than 1 % of your accounts carry is called common: shared software would give as much. A match is an observation
    and no accusation, and no match clears nobody. The partner learns nothing; the names of your accounts stay in accounts.csv.

    Exit status: 0 done, whatever was seen; 1 failed; 2 wrong usage; 130 interrupted.

    \b
    stillwatch match profile.json logs/ --shared-key partner.key --out matched
    """
    from stillwatch.app.export_requesting import shared_keyed
    from stillwatch.app.matching import MatchRequest, match_json
    from stillwatch.app.matching import match as run

    recorder = recorder_of(log, log_key)
    key = shared_keyed(shared_key)
    request = MatchRequest(profile=profile, paths=tuple(Path(path) for path in logs), format=format, out=out, shared_key=key)
    with stoppable(_INTERRUPTED), progress(quiet=as_json) as shown:
        matched = run(request, shown, now=datetime.now(UTC))  # noqa: TID251 - the face may ask the clock
        if recorder is not None:
            shown.note(f"Recorded in {log}: record {recorder.match(match_json(matched), profile, out)}.")
    if as_json:
        print_json(match_json(matched) | {"folder": str(out)})
        return
    from stillwatch.app.showing_match import match_table

    new_console(stderr=False).print(match_table(matched, out))
