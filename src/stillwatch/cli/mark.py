"""`stillwatch mark`: keys, commitments, watermark configuration, canaries and twins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.output import new_console, print_json, print_whole
from stillwatch.cli.running import VaultKey, progress, recorder_of, stoppable

mark = typer.Typer(
    help="Mark what is served, so that training on it can be proved: keys, twins, canaries and watermark configuration.",
    epilog="Start with: stillwatch mark keys --out master.key. Then: stillwatch mark commit --key master.key",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_INTERRUPTED = "interrupted; what was scored is kept: run the same command again to go on"

KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="File of the master secret, readable by its owner only; default: the variable STILLWATCH_MASTER_KEY."),
]
Period = Annotated[str, typer.Option(help="Period of the key, such as 2026-11; the next period is the next key.")]
Account = Annotated[str | None, typer.Option(help="Account whose answers the key marks; default: one key for all accounts.")]
NewFile = Annotated[Path, typer.Option("--out", "-o", help="New file with mode 0600; an existing one is never overwritten.")]
OwnFamilies = Annotated[list[Path] | None, typer.Option("--families", help="Further canary families (TOML), repeatable.")]
Log = Annotated[Path | None, typer.Option("--log", help="Evidence log that the commitments are recorded in.")]
LogKey = Annotated[Path | None, typer.Option("--log-key", help="Its private key file; default: the variable STILLWATCH_LOG_KEY.")]
Json = Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")]


@mark.command()
def keys(out: NewFile, log: Log = None, log_key: LogKey = None, as_json: Json = False) -> None:
    """Make a master secret in a new file that only you may read, and print its commitment.

    Every key is derived from it, per purpose, account and period, so this file is all there is to keep, and to lose. The commitment gives
    nothing away: publish or seal it before the first answer is marked, so that nobody can say the key was chosen afterwards.
    """
    from stillwatch.app.marking import make_master

    recorder = recorder_of(log, log_key)
    commitment = make_master(out)
    if recorder is not None:
        recorder.mark_keys([{"purpose": "master", "account": None, "period": None, "commitment": commitment}])
    if as_json:
        print_json({"file": str(out), "commitment": commitment})
        return
    console = new_console(stderr=False)
    console.print(f"Master secret: {out} (mode 0600). Keep a copy where only you can reach it.", markup=False, soft_wrap=True)
    console.print(f"Commitment: {commitment}", markup=False, soft_wrap=True)


@mark.command()
def commit(
    key: KeyFile = None,
    purpose: Annotated[list[str] | None, typer.Option(help="green-list, gumbel, vllm-gumbel, twins or canaries; repeatable.")] = None,
    account: Annotated[list[str] | None, typer.Option(help="Account of a key, repeatable; default: one key for all accounts.")] = None,
    period: Annotated[str | None, typer.Option(help="Period of the keys, such as 2026-11; needed with --purpose.")] = None,
    log: Log = None,
    log_key: LogKey = None,
    as_json: Json = False,
) -> None:
    """Print commitments: of the master secret, or of the keys for purposes, accounts and a period. No key is printed.

    \b
    stillwatch mark commit --key master.key
    stillwatch mark commit --key master.key --purpose twins --purpose canaries --account acme --period 2026-11
    """
    from stillwatch.app.marking import commitments, load_master

    recorder = recorder_of(log, log_key)
    found = commitments(load_master(key), purposes=purpose or [], accounts=account or [], period=period)
    if recorder is not None:
        recorder.mark_keys(found)
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_marks import commitment_table

    print_whole(commitment_table(found))


@mark.command()
def derive(
    out: NewFile,
    purpose: Annotated[str, typer.Option(help="green-list, gumbel, vllm-gumbel, twins or canaries.")],
    period: Period,
    key: KeyFile = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Write one derived key into a new file, for whoever runs the sampler or the gateway, and print its commitment.

    So the master secret need not lie where marking is done: the file holds the key of this purpose, account and period alone. A plan of
    stillwatch prove takes the file as well. The key itself is never printed.
    """
    from stillwatch.app.marking import load_master, write_derived

    _print_written(out, write_derived(load_master(key), out, purpose=purpose, account=account, period=period), as_json=as_json)


@mark.command()
def vllm(
    out: NewFile,
    period: Period,
    key: KeyFile = None,
    account: Account = None,
    width: Annotated[int, typer.Option(min=1, max=16, help="Tokens of a context; vLLM's own default is 4.")] = 4,
    as_json: Json = False,
) -> None:
    """Write the configuration of vLLM's own Gumbel watermark into a new file; it holds the key of the period.

    Its content is the value of vLLM's --watermark-config. What vLLM then writes is read without torch by stillwatch.marks.vllm_gumbel.
    """
    from stillwatch.app.marking import load_master, write_vllm

    _print_written(out, write_vllm(load_master(key), out, account=account, period=period, width=width), as_json=as_json)


@mark.command("read-vllm")
def read_vllm(
    tokens: Annotated[
        Path, typer.Argument(metavar="TOKENS", help="JSON Lines: arrays of token ids, or vLLM's responses (return_token_ids: true).")
    ],
    period: Period,
    key: KeyFile = None,
    account: Account = None,
    width: Annotated[int, typer.Option(min=1, max=16, help="Context width of the configuration.")] = 4,
    as_json: Json = False,
) -> None:
    """Read vLLM's own Gumbel watermark from token ids: is this text of the key of the period?

    Answers without their prompts, in the tokenizer of the marked model. Each context counts once over all answers, so repeated text makes
    no false alarm. The p-value is of one test: reading with several keys needs a correction.
    """
    from stillwatch.app.marking import load_master
    from stillwatch.app.marking import read_vllm as read

    found = read(load_master(key), tokens, account=account, period=period, width=width)
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_marks import reading_table

    print_whole(reading_table(found))


@mark.command()
def canaries(families: OwnFamilies = None, as_json: Json = False) -> None:
    """List the canary families: what is chosen, among how many equally good variants, and how many questions that gives."""
    from stillwatch.app.marking import families_json, load_families

    found = load_families(families or [])
    if as_json:
        print_json(families_json(found))
        return
    from stillwatch.app.showing_marks import family_table

    new_console(stderr=False).print(family_table(found))


@mark.command()
def instructions(
    out: NewFile,
    period: Period,
    key: KeyFile = None,
    account: Account = None,
    families: OwnFamilies = None,
    as_json: Json = False,
) -> None:
    """Write the canary choices of a key as instructions that a gateway adds to system messages, one JSON line per topic.

    The choices are the secret itself: the file has mode 0600, and nothing of it is printed.
    """
    from stillwatch.app.marking import load_families, load_master, write_instructions

    written = write_instructions(load_master(key), load_families(families or []), out, account=account, period=period)
    _print_written(out, written, as_json=as_json)


@mark.command()
def questions(out: NewFile, families: OwnFamilies = None, as_json: Json = False) -> None:
    """Write the questions that ask a suspect model for the canaries, one JSON line each. They name no choice and need no key.

    Ask each once, in a conversation of its own: each is one independent draw of the key.
    """
    from stillwatch.app.marking import load_families, write_questions

    _print_written(out, write_questions(load_families(families or []), out), as_json=as_json)


@mark.command()
def twins(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS", help="Pairs file that the gateway appends to.")],
    key: Annotated[
        Path | None, typer.Option("--key", help="Master secret, to check that every pair is its own; the coin stays unseen.")
    ] = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Check a pairs file: its chain, ties, repeated requests, and, with a key, that every pair is the key's own.

    Nothing here looks at which answer was served, so that it may be run at any time. The head fixes every line before it: publish it.
    """
    from stillwatch.app.marking import check_twins, load_master
    from stillwatch.app.vaulting import load_vault

    found = check_twins(pairs, None if key is None else load_master(key), load_vault(vault_key))
    if as_json:
        print_json(found)
        return
    from stillwatch.app.showing_marks import twins_table

    print_whole(twins_table(found))


@mark.command()
def score(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS", help="Pairs file that the gateway appends to.")],
    out: NewFile,
    folder: Annotated[Path | None, typer.Option(help="The model that answered, as a Hugging Face folder on disk.")] = None,
    url: Annotated[str, typer.Option(help="Its OpenAI-compatible endpoint up to and with /v1, in place of --folder.")] = "",
    model: Annotated[str, typer.Option(help="Name of the model that the endpoint is asked for.")] = "",
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Write what the model that answered itself gives to both answers of every pair: the prompts of a twin test.

    The difference of these scores is taken off the suspect's, so that fewer pairs prove as much. The coin is not looked at. The file holds
    withheld answers, has mode 0600 and is encrypted where there is a key of the vault, once it is whole; its sha256 in plain goes into the
    plan. The endpoint must echo log-probabilities of a prompt; STILLWATCH_TEACHER_KEY holds its bearer token. An interrupted run goes on
    where it stopped.

    \b
    stillwatch mark score pairs.jsonl --folder teacher --out twins.jsonl
    """
    # loading the program's own parts takes a moment in which it may be interrupted too
    with stoppable(_INTERRUPTED):
        from stillwatch.app.teacher_scores import open_teacher, score_pairs, teacher_digest
        from stillwatch.app.vaulting import load_vault

        with progress(quiet=as_json) as shown:
            teacher, named = open_teacher(folder, url, model)
            given = {"named": named, "digest": teacher_digest(folder)}
            written = score_pairs(pairs, teacher, out, shown, vault=load_vault(vault_key), **given)
    _print_written(out, written, as_json=as_json)


def _print_written(out: Path, written: dict[str, object], *, as_json: bool) -> None:
    """Say what was written, without what it says."""
    if as_json:
        print_json({"file": str(out)} | written)
        return
    console = new_console(stderr=False)
    console.print(f"Written: {out} (mode 0600)", markup=False, soft_wrap=True)
    for name, value in written.items():
        console.print(f"{name.replace('_', ' ').capitalize()}: {value}", markup=False, soft_wrap=True)
