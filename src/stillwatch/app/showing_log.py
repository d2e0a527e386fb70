"""What `stillwatch log` says in words. No secret gets here, and foreign text is made safe to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from stillwatch.report.text import visible

if TYPE_CHECKING:
    from stillwatch.app.log_checking import Checked, Trust

_SHOWN = 4000
_NAMED = 10


def entry_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Index, time and kind of records, and which earlier ones they speak of."""
    table = Table("record", "at", "kind", "concerns", box=SIMPLE_HEAD)
    for row in rows:
        concerns = ", ".join(map(str, row["concerns"][:_NAMED])) + (" …" if len(row["concerns"]) > _NAMED else "")
        table.add_row(*(Text(visible(str(cell), limit=200)) for cell in (row["index"], row["at"], row["kind"], concerns)))
    return table


def summary_lines(found: Mapping[str, Any]) -> list[str]:
    """Names and values of a summary, one a line."""
    return [f"{name.replace('_', ' ').capitalize()}: {visible(_words(value), limit=_SHOWN)}" for name, value in found.items()]


def verified_json(found: Checked, trust: Trust) -> dict[str, Any]:
    """What a verification counted, and what it rests on."""
    verified, checkpoint = found.verified, found.verified.checkpoint
    return {
        "sound": True,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "kinds": verified.kinds,
        "contents": verified.contents,
        "erased": verified.erased,
        "unfinished_erasures": list(verified.unfinished),
        "times_that_run_backwards": verified.backwards,
        "earlier_checkpoints_held": verified.earlier,
        "key_from_outside": bool(trust.keys),
        "cosignatures": [{"size": size, "witness": name, "at": at} for size, name, at in found.cosigned],
        "timestamps": [{"size": size, "at": stamp.at, "authority": stamp.authority} for size, stamp in found.stamps],
        "unchecked": list(found.unchecked),
    }


def verified_lines(found: Checked, trust: Trust) -> list[str]:
    """The same in sentences, with what was not shown."""
    verified, checkpoint = found.verified, found.verified.checkpoint
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(verified.kinds.items()))
    lines = [f"Sound: {visible(checkpoint.origin)}, {checkpoint.size:,} records ({visible(kinds)}), root {checkpoint.root.hex()}."]
    if verified.contents is None:
        lines.append("Contents were not looked at.")
    else:
        lines.append(f"{verified.contents:,} contents open their commitments; {verified.erased or 0:,} were erased, each on record.")
    lines += [f"{visible(name)} cosigned {size:,} records at {at} (seconds after 1970)." for size, name, at in found.cosigned]
    lines += [
        f"{visible(stamp.authority)} time-stamped {size:,} records at {stamp.at:%Y-%m-%d %H:%M:%S} UTC." for size, stamp in found.stamps
    ]
    if verified.unfinished:
        lines.append(
            f"{len(verified.unfinished):,} contents are still there although their erasure is on record; run `stillwatch log recover`."
        )
    if verified.backwards:
        lines.append(f"{verified.backwards:,} records have an earlier time than the record before them: a clock was set back.")
    lines += [f"Not shown: {sentence}." for sentence in _not_shown(found, trust)]
    return lines


def _not_shown(found: Checked, trust: Trust) -> list[str]:
    missing = list(found.unchecked)
    if not trust.keys:
        missing.append(
            "that the key is the right one: it is what the folder itself says; get the log's verifier key elsewhere and give --vkey"
        )
    if not (trust.earlier or found.cosigned or found.stamps):
        missing.append(
            "that whoever holds the key did not write the whole history anew: keep checkpoints and give --earlier, or have outsiders vouch "
            "with `stillwatch log anchor`"
        )
    return missing


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(item) for item in value) or "none"
    return "yes" if value is True else str(value)
