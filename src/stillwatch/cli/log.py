"""`stillwatch log`: the evidence log."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import VaultKey, progress, stoppable
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.app.evidence_log import Who

log = typer.Typer(
    name="log",
    help="Keep acts on evidence in a log that cannot be changed unseen: append, show, prove, verify, erase, hold, anchor.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the log.")]
Record = Annotated[int, typer.Argument(metavar="INDEX", min=0, help="Index of the record.")]
LogKey = Annotated[Path | None, typer.Option("--log-key", help="The log's private key file; default: the variable STILLWATCH_LOG_KEY.")]
NewKey = Annotated[Path, typer.Option(help="New file with mode 0600 for the private key; keep it apart from the log.")]
MlDsa = Annotated[bool, typer.Option("--ml-dsa", help="Sign with ML-DSA-44 as well, which withstands quantum computers.")]
Vkey = Annotated[
    list[str] | None,
    typer.Option(help="The log's verifier key (NAME+ID+KEY) or a file of it, from whom you trust; default: what the folder itself says."),
]
NeededVkey = Annotated[list[str], typer.Option("--vkey", help="The log's verifier key (NAME+ID+KEY) or a file of it, from whom you trust.")]
Witnesses = Annotated[list[str] | None, typer.Option("--witness-key", help="A witness's verifier key or a file of it; repeatable.")]
By = Annotated[str, typer.Option(help="Who does it; recorded, and held against the governance file where STILLWATCH_GOVERNANCE names one.")]
Why = Annotated[str, typer.Option(help="Why; recorded.")]
Json = Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")]


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the face may ask the clock


def _who(act: str, by: str, why: str) -> Who:
    """Who does something and why, where a governance file that is configured lets them; without one, whoever is named may."""
    from stillwatch.app.evidence_log import Who
    from stillwatch.app.governance import allowed
    from stillwatch.govern.policy import Act

    return Who(by=allowed(Act(act), by), why=why)


@log.command()
def init(
    folder: Folder,
    origin: Annotated[str, typer.Option(help="Name of the log, as an address without scheme: example.com/evidence.")],
    key: NewKey,
    ml_dsa: MlDsa = False,
    purpose: Annotated[str, typer.Option(help="What the log is kept for; its first record says so.")] = "",
    as_json: Json = False,
) -> None:
    """Make a log and its key. Publish the verifier key that is printed: it is what others check the log with.

    \b
    stillwatch log init evidence --origin example.com/evidence --key log.key
    """
    from stillwatch.app.evidence_log import start_log

    _print(start_log(folder, origin, key, ml_dsa=ml_dsa, purpose=purpose, now=_now()), as_json=as_json)


@log.command()
def append(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines, a record's content each; - reads standard input.")],
    kind: Annotated[str, typer.Option(help="Kind of the records, such as decision, view or export; see: stillwatch log schema.")],
    concerns: Annotated[list[int] | None, typer.Option(min=0, help="Index of an earlier record that they speak of; repeatable.")] = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Record acts. All lines are checked first, and all or none are recorded, up to 65,536 of them."""
    from stillwatch.app.evidence_log import append_lines
    from stillwatch.app.log_checking import text_lines

    lines = iter(sys.stdin) if str(file) == "-" else text_lines(file)
    _print(append_lines(folder, kind, lines, log_key, concerns=concerns or [], now=_now()), as_json=as_json)


@log.command()
def show(
    folder: Folder,
    index: Annotated[int | None, typer.Argument(metavar="INDEX", min=0, help="Record whose content is shown; default: a list.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kinds to list, repeatable; default: all.")] = None,
    start: Annotated[int, typer.Option(help="First record to list; below 0: counted from the end.")] = -20,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most records to list.")] = 20,
    by: By = "",
    why: Why = "",
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """List records, or show one with its content. Who looked at a content, and why, is recorded before it is shown.

    \b
    stillwatch log show evidence --kind verdict --start 0
    stillwatch log show evidence 12 --by analyst@example.com --why "case 7" --log-key log.key
    """
    from stillwatch.app.evidence_log import listed, viewed

    if index is not None:
        print_json(viewed(folder, index, _who("see_findings", by, why), log_key, now=_now()))
        return
    rows = listed(folder, (), kinds=kind or [], start=start, limit=limit)
    if as_json:
        print_json(rows)
        return
    from stillwatch.app.showing_log import entry_table

    new_console(stderr=False).print(entry_table(rows))


@log.command()
def checkpoint(folder: Folder, vkey: Vkey = None) -> None:
    """Print the newest signed checkpoint. Whoever keeps it can tell later whether the log was cut back or rewritten."""
    from stillwatch.app.log_keys import read_vkeys
    from stillwatch.ledger.reading import LogReader

    sys.stdout.write(LogReader(folder, read_vkeys(vkey or [])).note.decode())


@log.command()
def prove(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="File of the proof, as exhibit.tlog-proof.")],
    index: Annotated[int | None, typer.Argument(metavar="INDEX", min=0, help="Record whose place in the log is proved.")] = None,
    since: Annotated[int | None, typer.Option(min=0, help="Prove instead that the log still holds its first so many records.")] = None,
    vkey: Vkey = None,
    as_json: Json = False,
) -> None:
    """Write a proof that anybody can check offline: that a record stands in the log (C2SP tlog-proof), or that its past is unchanged."""
    from stillwatch.app.log_checking import prove_record, prove_since
    from stillwatch.app.log_keys import read_vkeys

    if (index is None) == (since is None):
        raise UsageError("give either the INDEX of a record or --since SIZE")
    keys = read_vkeys(vkey or [])
    found = prove_since(folder, since, out, keys) if since is not None else prove_record(folder, index or 0, out, keys)
    _print(found, as_json=as_json)


@log.command("open")
def open_record(
    folder: Folder,
    index: Record,
    out: Annotated[Path, typer.Option("--out", "-o", help="New file with mode 0600 for the content and its salt.")],
    by: By,
    to: Annotated[str, typer.Option(help="To whom it is handed over; recorded.")],
    why: Why,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Write a record's content and salt, to be handed over with its proof. That it was handed over is recorded first."""
    from stillwatch.app.log_checking import export_opening

    _print(export_opening(folder, index, out, _who("export_findings", by, why), to, log_key, now=_now()), as_json=as_json)


@log.command()
def check(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="A proof that `log prove` wrote.")],
    vkey: NeededVkey,
    opening: Annotated[Path | None, typer.Option(help="The content and salt that `log open` wrote, to be checked as well.")] = None,
    earlier: Annotated[Path | None, typer.Option(help="The earlier checkpoint, for a proof that was made with --since.")] = None,
    witness_key: Witnesses = None,
    as_json: Json = False,
) -> None:
    """Check a proof without the log, and without asking anybody: it needs only the log's verifier key."""
    from stillwatch.app.log_checking import Trust, check_proof
    from stillwatch.app.log_keys import read_vkeys

    trust = Trust(keys=read_vkeys(vkey), witnesses=read_vkeys(witness_key or []), earlier=(earlier,) if earlier else ())
    _print({"holds": True} | check_proof(proof, trust, opening), as_json=as_json)


@log.command()
def verify(
    folder: Folder,
    vkey: Vkey = None,
    earlier: Annotated[
        list[Path] | None, typer.Option(help="Checkpoint or proof from earlier that the log must still hold; repeatable.")
    ] = None,
    contents: Annotated[bool, typer.Option("--contents/--no-contents", help="Hold contents against commitments as well.")] = True,
    witness_key: Witnesses = None,
    quorum: Annotated[int, typer.Option(min=0, help="Witnesses that must have cosigned the newest cosigned checkpoint.")] = 0,
    tsa_root: Annotated[Path | None, typer.Option(help="Root certificate of the time-stamp authority (PEM).")] = None,
    as_json: Json = False,
) -> None:
    """Verify a whole log: records, tiles, root, signatures, contents, erasures, anchors. The first thing that does not hold is named.

    Without --vkey and --earlier it shows only that the folder agrees with itself. Exit status: 0 sound, 1 not.
    """
    from stillwatch.app.log_checking import Trust, check_log
    from stillwatch.app.log_keys import read_vkeys

    trust = Trust(
        keys=read_vkeys(vkey or []),
        witnesses=read_vkeys(witness_key or []),
        quorum=quorum,
        roots=tsa_root,
        earlier=tuple(earlier or ()),
    )
    with stoppable("interrupted; nothing was changed"), progress(quiet=as_json) as shown:
        shown.begin("verify", 0)
        found = check_log(folder, trust, contents=contents, progress=shown.advance)
        shown.end(found.verified.checkpoint.size, 0.0, resumed=False)
    from stillwatch.app.showing_log import verified_json, verified_lines

    if as_json:
        print_json(verified_json(found, trust))
        return
    console = new_console(stderr=False)
    for line in verified_lines(found, trust):
        console.print(line, markup=False, soft_wrap=True)


@log.command()
def erase(
    folder: Folder,
    by: By,
    why: Why,
    ground: Annotated[str, typer.Option(help="retention, data_subject, court_order or mistake.")],
    index: Annotated[list[int] | None, typer.Argument(metavar="INDEX", min=0, help="Records whose contents are erased.")] = None,
    before: Annotated[datetime | None, typer.Option(help="Erase instead what was recorded before this time (UTC).")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="With --before: only these kinds; repeatable.")] = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Erase contents; the log verifies as before, and the erasure is a record of its own. What is held is refused.

    Copies elsewhere (result folders, exports, backups) are not reached.
    """
    from stillwatch.app import evidence_log
    from stillwatch.records.evidence import Ground

    if ground not in set(Ground):
        raise UsageError(f"--ground is {ground!r}; it takes one of {', '.join(Ground)}")
    if bool(index) == (before is not None):
        raise UsageError("give either indexes of records or --before")
    who = _who("erase", by, why)
    chosen = evidence_log.before(folder, before.replace(tzinfo=UTC), kind or [], ()) if before else index or []
    _print(evidence_log.erase(folder, chosen, who, Ground(ground), log_key, now=_now()), as_json=as_json)


@log.command()
def hold(
    folder: Folder,
    by: By,
    why: Why,
    index: Annotated[list[int] | None, typer.Argument(metavar="INDEX", min=0, help="Records to protect; default: all.")] = None,
    until: Annotated[str | None, typer.Option(help="When it is to be looked at again; it ends only by `log release`.")] = None,
    account: Annotated[list[str] | None, typer.Option(help="Hold whatever is held about this account; repeatable.")] = None,
    data_class: Annotated[list[str] | None, typer.Option("--class", help="Hold a class of data, as retention names it.")] = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Protect contents from erasure, as for a lawsuit, until the hold is released: records, accounts or classes of data; default: all.

    Retention and erasure by account keep to it outside the log too.
    """
    from stillwatch.app import evidence_log

    who, scope = _who("hold", by, why), evidence_log.Scope(accounts=tuple(account or ()), classes=tuple(data_class or ()))
    _print(evidence_log.hold(folder, index or [], who, log_key, until=until, now=_now(), scope=scope), as_json=as_json)


@log.command()
def release(folder: Folder, index: Record, by: By, why: Why, log_key: LogKey = None, as_json: Json = False) -> None:
    """End a hold, given the index of its record."""
    from stillwatch.app import evidence_log

    _print(evidence_log.release(folder, index, _who("hold", by, why), log_key, now=_now()), as_json=as_json)


@log.command("rotate-key")
def rotate_key(
    folder: Folder, new_key: NewKey, by: By, why: Why, ml_dsa: MlDsa = False, log_key: LogKey = None, as_json: Json = False
) -> None:
    """Make a new key for the log. The old key signs a record that names it, so that whoever trusts the old one can follow."""
    from stillwatch.app import evidence_log

    who = _who("rotate_key", by, why)
    _print(evidence_log.rotate(folder, log_key, new_key, who, ml_dsa=ml_dsa, now=_now()), as_json=as_json)


@log.command()
def anchor(
    folder: Folder,
    tsa: Annotated[str | None, typer.Option(help="Address of an RFC 3161 time-stamp authority.")] = None,
    tsa_root: Annotated[Path | None, typer.Option(help="Its root certificate (PEM).")] = None,
    witness: Annotated[str | None, typer.Option(help="Address of a witness (C2SP tlog-witness), without /add-checkpoint.")] = None,
    witness_key: Annotated[str | None, typer.Option(help="Its verifier key, or a file of it.")] = None,
    vkey: Vkey = None,
    as_json: Json = False,
) -> None:
    """Have outsiders vouch for the newest checkpoint: the one command here that opens a connection. They see its name, size and root.

    \b
    stillwatch log anchor evidence --tsa https://tsa.example.com --tsa-root tsa.pem
    stillwatch log anchor evidence --witness https://witness.example.com --witness-key witness.vkey
    """
    from stillwatch.app.anchoring import anchor_in_time, anchor_with_witness
    from stillwatch.app.log_keys import read_vkeys

    if (tsa is None) != (tsa_root is None) or (witness is None) != (witness_key is None) or not (tsa or witness):
        raise UsageError("give --tsa with --tsa-root, or --witness with --witness-key, or both pairs")
    keys = read_vkeys(vkey or [])
    found: dict[str, Any] = {}
    if tsa and tsa_root:
        found["timestamp"] = anchor_in_time(folder, tsa, tsa_root, keys)
    if witness and witness_key:
        found["witness"] = anchor_with_witness(folder, witness, read_vkeys([witness_key])[0], keys)
    _print(found, as_json=as_json)


@log.command()
def recover(folder: Folder, as_json: Json = False) -> None:
    """Finish what a crash left unfinished. Every command that appends does so by itself; this one needs no key."""
    from stillwatch.app.evidence_log import recover as run

    _print(dict(run(folder)), as_json=as_json)


@log.command()
def encrypt(folder: Folder, vault_key: VaultKey = None, as_json: Json = False) -> None:
    """Encrypt the contents of a log that are plain, and bring encrypted ones under the vault's present key. Proofs hold as before.

    From then on the log takes and shows contents with STILLWATCH_VAULT_KEY alone. It goes on where it was interrupted; the counts add up.
    """
    from stillwatch.app.log_sealing import encrypt_log
    from stillwatch.app.vaulting import needed_vault

    with stoppable("interrupted; what was done is kept: run the same command again to go on"):
        _print(encrypt_log(folder, needed_vault(vault_key)), as_json=as_json)


@log.command()
def schema(kind: Annotated[str | None, typer.Argument(metavar="KIND", help="Kind of record; default: all of them.")] = None) -> None:
    """Print the JSON Schema of records' contents."""
    from stillwatch.records.evidence import ACTS, schema_of

    print_json(schema_of(kind) if kind else {name: schema_of(name) for name in ACTS})


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_log import summary_lines

    console = new_console(stderr=False)
    for line in summary_lines(found):
        console.print(line, markup=False, soft_wrap=True)
