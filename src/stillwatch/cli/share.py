"""`stillwatch export` and `stillwatch match`: findings for partners and other tools, and a partner's indicators in one's own logs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import progress, stoppable

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
    as_json: Json = False,
) -> None:
    """Write the findings of a scan for a partner or another tool: OCSF, STIX, MISP, Sigma, CSV, or a profile of indicators.

    No text of a prompt or response leaves. Accounts, exchanges and groups get pseudonyms per recipient, unless --keep-identifiers.
    A profile names no account at all; its fingerprints are hashed under --shared-key, and a partner matches it with stillwatch match.

    \b
    stillwatch export result --format stix --format misp --recipient acme-labs --key master.key
    stillwatch export result --format profile --shared-key partner.key --producer "Example Models"
    """
    from stillwatch.app.export_requesting import export_request
    from stillwatch.app.exporting import export as run
    from stillwatch.share.hashing import UNKEYED_WARNING

    given: dict[str, Any] = {"recipient": recipient, "key": key, "shared_key": shared_key, "producer": producer, "tlp": tlp}
    request = export_request(folder, formats=format, out=out, keep_identifiers=keep_identifiers, unkeyed=unkeyed, **given)
    with stoppable(_INTERRUPTED), progress(quiet=as_json) as shown:
        manifest = run(request, shown)
    if request.hashing is not None and request.hashing.key_id is None:
        new_console(stderr=True).print(UNKEYED_WARNING, markup=False, soft_wrap=True)
    if as_json:
        print_json(manifest | {"folder": str(out)})
        return
    from stillwatch.app.showing_match import export_lines

    new_console(stderr=False).print(export_lines(manifest, out))


def match(
    profile: Annotated[Path, typer.Argument(metavar="PROFILE", help="Profile that a partner made with stillwatch export.")],
    logs: Annotated[list[str], typer.Argument(metavar="LOGS", help="Your own logs: files, folders or patterns as scan reads them.")],
    shared_key: SharedKey = None,
    format: Annotated[str, typer.Option(help="Reader of the logs; auto looks at each file.")] = "auto",  # noqa: A002
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if it is not there.")] = Path("match-out"),
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

    key = shared_keyed(shared_key)
    request = MatchRequest(profile=profile, paths=tuple(Path(path) for path in logs), format=format, out=out, shared_key=key)
    with stoppable(_INTERRUPTED), progress(quiet=as_json) as shown:
        matched = run(request, shown, now=datetime.now(UTC))  # noqa: TID251 - the face may ask the clock
    if as_json:
        print_json(match_json(matched) | {"folder": str(out)})
        return
    from stillwatch.app.showing_match import match_table

    new_console(stderr=False).print(match_table(matched, out))
