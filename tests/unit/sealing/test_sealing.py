"""What leaves in a sealed case, and what does not; what is refused before anything leaves; what other people's programs read of it."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from stillwatch.ledger.canonical import canonical_json
from stillwatch.records.cases import CaseExhibitMade, CaseNumber, Column, Condition, Identifies, Rule
from stillwatch.records.evidence import content_of, record_of
from stillwatch.sealing.container import pack, unpack
from stillwatch.sealing.exhibits import rows_exhibit
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.refusals import RefusedCaseError, SealError
from stillwatch.sealing.schema import problems, schema
from stillwatch.sealing.seal import prepared
from stillwatch.sealing.verification.verifying import UNKNOWN_SIGNER, VERIFIED, verify_case

IDENTIFIERS = re.compile(rb"acct_00|exchange_00|group-0007|finding-7")
NASTY = "<script>alert(1)</script> \u202egpj.exe</span><span id=\"N1\">9 requests</span> & {{ 7 * 7 }} https://evil.example 'q' \x1b[31m"


def predicate(data: bytes) -> dict[str, Any]:
    """What a file states."""
    return json.loads(base64.b64decode(json.loads(unpack(data)["case.json"])["payload"]))["predicate"]


def test_every_archive_program_reads_the_members(making: ModuleType) -> None:
    data = making.seal_sample(recipient="acme-labs")[0]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == unpack(data)


def test_what_is_packed_is_what_is_unpacked_and_nothing_else_is(making: ModuleType) -> None:
    members = unpack(making.seal_sample()[0])
    assert unpack(pack(dict(reversed(members.items())))) == members
    with pytest.raises(RefusedCaseError, match="member-name"):
        pack({"notes.txt": b""})
    with pytest.raises(SealError, match="members"):
        pack({f"exhibits/E{place}.jsonl": b"" for place in range(1, 1300)})


def test_no_identifier_and_no_text_of_customers_leaves_for_a_recipient(making: ModuleType) -> None:
    data, case, _ = making.seal_sample(recipient="acme-labs", withholding=Withholding())
    assert not IDENTIFIERS.search(data)
    assert b"Solve step by step" not in data
    assert case.content.salt_key.hex().encode() not in data
    assert case.content.salt_key not in data
    assert not IDENTIFIERS.search(base64.b64decode(json.loads(unpack(data)["case.json"])["payload"]))


def test_two_recipients_get_other_pseudonyms_over_the_same_commitments_and_records(making: ModuleType) -> None:
    one, two = (making.seal_sample(recipient=name)[0] for name in ("acme-labs", "the court"))
    first, second = predicate(one), predicate(two)
    assert [exhibit["root"] for exhibit in first["exhibits"]] == [exhibit["root"] for exhibit in second["exhibits"]]
    for name in ("proofs/E1.tlog-proof", "checkpoint"):
        assert unpack(one)[name] == unpack(two)[name]
    names = [{member["account"] for member in found["members"]} for found in (first, second)]
    assert not names[0] & names[1]
    assert all(name.startswith("account-") for name in names[0])


def test_within_the_house_identifiers_stand_as_they_are(making: ModuleType) -> None:
    data = making.seal_sample()[0]
    assert b"acct_0001" in unpack(data)["exhibits/E1.jsonl"]
    assert predicate(data)["sealed"]["recipient"] is None


@pytest.mark.parametrize(
    ("withholding", "kinds"),
    [
        (Withholding(shown=frozenset({"E1.prompt"})), {"recomputed": 15, "withheld": 0, "stated": 1}),
        (Withholding(), {"recomputed": 14, "withheld": 1, "stated": 1}),
        (Withholding(columns=frozenset({"E1.price", "E1.carries"})), {"recomputed": 10, "withheld": 5, "stated": 1}),
        (Withholding(exhibits=frozenset({"E1"})), {"recomputed": 5, "withheld": 10, "stated": 1}),
    ],
)
def test_what_is_withheld_leaves_every_proof_valid_and_its_numbers_marked(
    withholding: Withholding, kinds: dict[str, int], making: ModuleType, alone: ModuleType
) -> None:
    data = making.seal_sample(recipient="acme-labs", withholding=withholding)[0]
    found = verify_case(data, [making.signers()[0].verifier])
    assert found.verdict == VERIFIED
    assert {kind: list(found.numbers.values()).count(kind) for kind in kinds} == kinds
    assert alone.verify(data, [])["numbers"] == found.numbers


def test_a_withheld_file_is_known_by_its_row_alone(making: ModuleType) -> None:
    data = making.seal_sample(withholding=Withholding(files=frozenset({"E2"})))[0]
    assert "files/E2" not in unpack(data)
    assert verify_case(data, []).verdict == UNKNOWN_SIGNER


def test_a_withheld_cell_is_opened_later_by_its_value_and_salt(making: ModuleType) -> None:
    from stillwatch.sealing.commitments import cell_hash, salt_of

    data, case, _ = making.seal_sample(recipient="acme-labs", withholding=Withholding())
    held = json.loads(unpack(data)["exhibits/E1.jsonl"].splitlines()[2])
    value = case.content.exhibits[0].rows[2][1]
    salt = salt_of(making.SALT_KEY, "E1", 2, "account_id", value)
    assert cell_hash(salt, "E1", 2, "account_id", value).hex() == held[1]["hash"]
    assert cell_hash(salt, "E1", 2, "account_id", "acct_0009").hex() != held[1]["hash"]


def test_a_cell_that_names_an_account_in_another_column_is_refused_and_the_name_is_not_told(making: ModuleType) -> None:
    exhibits = making.exhibits()
    note = replace(exhibits[2], rows=(("ann", "2026-06-17T08:00:00Z", "acct_0001 has not answered."),))
    case = making.content(exhibits=(*exhibits[:2], note, exhibits[3]))
    with pytest.raises(SealError, match=r"E3\.words") as refused:
        making.seal_sample(case, recipient="acme-labs")
    assert "acct_0001" not in str(refused.value)
    assert verify_case(making.seal_sample(case)[0], []).verdict == UNKNOWN_SIGNER
    held = Withholding(columns=frozenset({"E3.words"}))
    assert not IDENTIFIERS.search(making.seal_sample(case, recipient="acme-labs", withholding=held)[0])


def _number(making: ModuleType, **changes: Any) -> Any:
    return making.content(numbers=(replace(making.numbers()[0], **changes), *making.numbers()[1:]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"salt_key": b"short"}, "salt key"),
        ({"limits": ()}, "no limits"),
        ({"ordinary": ()}, "no ordinary explanations"),
        ({"claims": ()}, "no claims"),
        ({"custody": "broken"}, "custody"),
    ],
)
def test_a_case_that_contradicts_itself_is_not_sealed(changes: dict[str, Any], message: str, making: ModuleType) -> None:
    case = making.content()
    if changes.get("custody") == "broken":
        changes = {"custody": (replace(case.custody[0], after="0" * 64), case.custody[1])}
    with pytest.raises(SealError, match=message):
        prepared(replace(case, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": "13"}, "claimed to be 13, and its rows give 12"),
        ({"value": "12.0.0"}, "decimal text"),
        ({"exhibit": "E7"}, "does not have"),
        ({"exhibit": None}, "a count that names nothing, and exhibit was expected"),
        ({"rule": Rule.SUM}, "a sum that names exhibit, and column, exhibit was expected"),
        ({"rule": Rule.SUM, "column": "colour"}, "no column"),
        ({"rule": Rule.STATED}, "a stated that names exhibit, and nothing was expected"),
        ({"uid": "N2"}, "N1 was expected"),
        ({"where": (Condition(column="colour", equals="red"),)}, "no column"),
    ],
)
def test_a_number_that_does_not_follow_from_its_rows_is_not_sealed(changes: dict[str, Any], message: str, making: ModuleType) -> None:
    with pytest.raises(SealError, match=message):
        prepared(_number(making, **changes))


def test_evidence_that_was_changed_outside_custody_is_not_sealed(making: ModuleType) -> None:
    case = making.content()
    changed = replace(case.exhibits[0], rows=case.exhibits[0].rows[:-1])
    with pytest.raises(SealError, match="nobody said so"):
        prepared(replace(case, exhibits=(changed, *case.exhibits[1:]), numbers=()))


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        ((Column(name="Upper"),), ("x",), "lower-case"),
        ((Column(name="a"), Column(name="a")), ("x", "y"), "different names"),
        ((Column(name="a"),), (0.5,), "decimal text"),
        ((Column(name="a"),), ("x", "y"), "2 values for 1 columns"),
        ((Column(name="a"),), ("\ud800",), "row 1"),
    ],
)
def test_rows_that_not_everybody_would_read_alike_are_not_sealed(columns: Any, row: Any, message: str, making: ModuleType) -> None:
    exhibit = rows_exhibit("E1", "x", shows="x", origin="x", columns=columns, rows=[row])
    with pytest.raises(SealError, match=message):
        prepared(making.content(exhibits=(exhibit,), numbers=(), custody=()) if message != "row 1" else _bare(making, exhibit))


def _bare(making: ModuleType, exhibit: Any) -> Any:
    return replace(making.content(), exhibits=(exhibit,), numbers=(), custody=())


def test_a_reader_of_dsse_that_others_wrote_verifies_the_envelope(making: ModuleType) -> None:
    signer = making.signers()[0]
    envelope = Envelope.from_dict(json.loads(unpack(making.seal_sample()[0])["case.json"]))
    keyid = signer.verifier.text()
    key = SSlibKey(keyid, "ed25519", "ed25519", {"public": signer.verifier.public.hex()})
    assert envelope.verify([key], 1) == {keyid: key}
    envelope.payload = envelope.payload.replace(b"acme", b"emca") + b" "
    with pytest.raises(VerificationError):
        envelope.verify([key], 1)


@pytest.mark.slow
def test_the_schema_says_the_same_to_us_and_to_a_validator_that_others_wrote(making: ModuleType) -> None:
    import jsonschema  # seconds of grammars

    statement = json.loads(base64.b64decode(json.loads(unpack(making.seal_sample()[0])["case.json"])["payload"]))
    statement = _thinned(statement)
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    assert validator.is_valid(statement)
    assert not list(problems(statement, schema()))
    odd: tuple[Any, ...] = (None, 1, "", "x", [], {}, "E1", "0" * 64, -1, 2**53, True, "1.5\n")
    for path in _paths(statement):
        for value in odd:
            changed = json.loads(json.dumps(statement))
            holder = changed
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = value
            theirs, ours = validator.is_valid(changed), not list(problems(changed, schema()))
            if not (isinstance(value, str) and value.endswith("\n")):  # their patterns end before a line end, ours at the end
                assert theirs == ours, (path, value)
            assert ours <= theirs


def _thinned(value: Any) -> Any:
    """The value with one item in each list."""
    if isinstance(value, dict):
        return {name: _thinned(item) for name, item in value.items()}
    return [_thinned(item) for item in value[:1]] if isinstance(value, list) else value


def _paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Places within a value: of lists only the first item."""
    inner: Any = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    found: list[tuple[Any, ...]] = []
    for name, item in inner:
        found += [(*before, name), *_paths(item, (*before, name))]
    return found


def test_the_record_in_the_log_is_the_one_that_a_proof_is_checked_against(making: ModuleType) -> None:
    for uid, content in prepared(making.content()).records.items():
        assert canonical_json(content_of(record_of(CaseExhibitMade, json.loads(content), uid))) == content


def _nasty(making: ModuleType) -> Any:
    case = making.content()
    exhibit = replace(case.exhibits[0], title=NASTY, shows=NASTY, origin=NASTY)
    note = replace(case.exhibits[2], rows=((NASTY, NASTY, NASTY),), title=NASTY)
    changed = making.content(exhibits=(exhibit, case.exhibits[1], note, case.exhibits[3]))
    return replace(
        changed,
        title=NASTY,
        summary=NASTY * 40,
        claims=(replace(case.claims[0], text=NASTY, certainty=NASTY, about=NASTY, about_kind=None),),
        numbers=tuple(replace(number, label=NASTY, how=NASTY, unit=NASTY[:30]) for number in case.numbers),
        ordinary=(replace(case.ordinary[0], text=NASTY, weighed=NASTY),),
        limits=(NASTY,),
        dispositions=(replace(case.dispositions[0], words=NASTY, by=NASTY, reason=NASTY),),
        inputs=(replace(case.inputs[0], name=NASTY),),
        settings=(replace(case.settings[0], name=NASTY, value=NASTY),),
        custody=tuple(replace(event, who=NASTY, why=NASTY) for event in changed.custody),
    )


@pytest.mark.parametrize("recipient", [None, "acme-labs"])
def test_hostile_text_stays_text_in_the_narrative_and_the_case_verifies(
    recipient: str | None, making: ModuleType, alone: ModuleType
) -> None:
    data = making.seal_sample(_nasty(making), recipient=recipient)[0]
    assert verify_case(data, []).verdict == alone.verify(data, [])["verdict"] == UNKNOWN_SIGNER
    page = unpack(data)["narrative.html"].decode()
    assert "<script" not in page.lower()
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "://evil" not in page
    assert page.count('<span id="N1">') == 1
    assert page.count("{{ 7 * 7 }}") > 10
    assert "default-src 'none'" in page


def test_the_page_reaches_nowhere_and_runs_nothing(making: ModuleType) -> None:
    page = unpack(making.seal_sample(recipient="acme-labs")[0])["narrative.html"].decode()
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    assert not re.findall(r"\bon[a-z]+=", page)
    assert "url(" not in page


def test_the_narrative_says_claim_explanations_limits_and_what_the_accused_can_check(making: ModuleType) -> None:
    data = making.seal_sample(recipient="acme-labs", withholding=Withholding(exhibits=frozenset({"E3"})))[0]
    page = unpack(data)["narrative.html"].decode()
    for words in ("What is claimed", "Ordinary explanations", "What this does not show", "verify_case.py", "Withheld from you", "accused"):
        assert words in page
    assert "14 of 16 numbers are computed again" in page


@pytest.mark.slow
def test_the_printed_narrative_says_the_same_the_same_way_every_time(making: ModuleType) -> None:
    import pypdfium2

    from stillwatch.sealing.printed import narrative_pdf

    for case in (making.content(), _nasty(making), making.content(title="蒸馏 case")):
        data = making.seal_sample(case, recipient="acme-labs", render_pdf=narrative_pdf)[0]
        assert data == making.seal_sample(case, recipient="acme-labs", render_pdf=narrative_pdf)[0]
        assert verify_case(data, []).verdict == UNKNOWN_SIGNER
        document = pypdfium2.PdfDocument(unpack(data)["narrative.pdf"])
        text = " ".join(page.get_textpage().get_text_bounded() for page in document)
        document.close()
        for words in ("What is claimed", "Ordinary explanations", "What this does not show", "verify_case.py", "Custody"):
            assert words in text
        assert not IDENTIFIERS.search(text.encode())
        assert b"/URI" not in unpack(data)["narrative.pdf"]
        assert b"/JavaScript" not in unpack(data)["narrative.pdf"]
    assert "[U+84B8][U+998F]" in text


def test_a_case_of_which_nothing_can_be_recomputed_says_so(making: ModuleType) -> None:
    number = CaseNumber(uid="N1", label="q", value="0.0004", unit="q-value", rule=Rule.STATED, how="stillwatch scan --seed 7")
    claim = replace(making.content().claims[0], numbers=("N1",))
    data = making.seal_sample(making.content(numbers=(number,), claims=(claim,)))[0]
    assert verify_case(data, []).numbers == {"N1": "stated"}
    assert "0 of 1 numbers are computed again" in unpack(data)["narrative.html"].decode()


@pytest.mark.slow
def test_identifiers_of_many_accounts_are_replaced_in_good_time(making: ModuleType) -> None:
    import time

    from stillwatch.sealing.recipients import Reading
    from stillwatch.share.naming import pseudonyms_for

    rows = [(f"acct_{place:06d}",) for place in range(20_000)]
    exhibit = rows_exhibit("E1", "x", shows="x", origin="x", columns=(Column(name="account_id", identifies=Identifies.ACCOUNT),), rows=rows)
    case = replace(making.content(), exhibits=(exhibit,), custody=())
    reading = Reading(case, pseudonyms_for(making.MASTER, "acme-labs"))
    started = time.monotonic()
    said = [reading.text(f"acct_{place:06d} and acct_000001 act as one, acct_9 does not.") for place in range(1_000)]
    assert time.monotonic() - started < 5
    assert not any("acct_0" in text for text in said)
    assert "acct_9 does" in said[0]
