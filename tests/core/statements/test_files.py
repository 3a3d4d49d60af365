"""Statements as files: what is read back is what was written, and nothing that others wrote is ever obeyed."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.books.month_book import Proof
from core.money import currency
from core.months.shares import ShareLine
from core.months.statements import PatronStatement
from core.months.worth import Line
from core.periods import parse_month
from core.statements import as_csv, as_json
from core.statements.earned import CreatorStatement, EarnedLine, PayoutLine
from core.statements.plain import cell, is_web, one_line
from core.statements.years import ChargedMonth, CreatorYear, PaidMonth, PatronYear, months_of

EUR = currency("EUR")
NOVEMBER = parse_month("2026-11")
AT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
HOSTILE = '=HYPERLINK("https://evil.example","click")\r\n\u202egnp.exe'
PROOF = Proof(text="share|2026-11-77|3150000|EUR", salt="ab" * 32, book=NOVEMBER + 1)


def share(number: int = 77, title: str | None = "A song", micros: int = 3_150_000) -> ShareLine:
    return ShareLine(
        receipt=f"2026-11-{number}",
        flattr_id=number,
        liked_at=AT,
        network="pond",
        url="https://pond.example/song",
        title=title,
        creator="carol",
        creator_account="pond:id-carol",
        creator_id=5,
        micros=micros,
        fee_micros=350_000,
        cost_micros=0,
        state="collected",
        taken_back_micros=0,
        held_for=(),
    )


def line(state: str, number: int = 78) -> Line:
    return Line(
        number=2,
        flattr_id=number,
        url="https://pond.example/tune",
        title=None,
        creator="id-dave",
        creator_account="pond:id-dave",
        platform="pond",
        state=state,  # type: ignore[arg-type]
        joined=False,
        origin="like",
        liked_at=AT,
        worth_micros=0,
    )


def patron(*shares: ShareLine, fee: int = 350_000) -> PatronStatement:
    return PatronStatement(
        id=4,
        month=NOVEMBER,
        state="collected",
        budget_micros=35_000_000,
        charge_micros=sum(each.micros for each in shares) + fee,
        cost_micros=0,
        fee_micros=fee,
        shares=shares,
        pending=(line("pending"),),
        held=(line("held", 79),),
        left_out=(line("struck", 80),),
        given_back_micros=0,
        next_attempt_at=None,
        ends_as=None,
        attempts=0,
        collected_at=AT,
    )


def creator(title: str | None = "A song") -> CreatorStatement:
    earned = EarnedLine(
        receipt="2026-11-77",
        flattr_id=77,
        liked_on=date(2026, 11, 3),
        network="pond",
        url="https://pond.example/song",
        title=title,
        micros=3_150_000,
        fee_micros=350_000,
        cost_micros=0,
        state="collected",
        has_arrived=True,
        taken_back_micros=0,
        held_for=(),
    )
    payout = PayoutLine(
        id=3, asked_at=AT, answered_at=AT, micros=3_150_000, state="sent", reference="tr_1", reason=None
    )
    return CreatorStatement(month=NOVEMBER, lines=(earned,), payouts=(payout,))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_amounts_of_a_patron_s_file_add_up_to_its_last_line() -> None:
    *parts, total = rows(as_csv.patron_statement(patron(share(), share(76, micros=72_581)), EUR))
    assert [row["kind"] for row in parts] == ["flattr"] * 5 + ["fee", "card_cost"]
    assert [row["state"] for row in parts[:5]] == ["collected", "collected", "pending", "unlisted", "struck"]
    assert [row["amount"] for row in parts] == ["3.15", "0.072581", "0.00", "0.00", "0.00", "0.35", "0.00"]
    assert (total["kind"], total["amount"]) == ("total", "3.572581")


def test_a_file_has_crlf_quotes_and_one_head() -> None:
    text = as_csv.patron_statement(patron(share(title='Say "hi", ok')), EUR)
    assert text.endswith("\r\n")
    assert text.count("\r\n") == len(text.splitlines()) == text.count("\n")
    assert '"Say ""hi"", ok"' in text
    assert text.splitlines()[0].startswith('"kind","month","receipt"')


def test_a_creator_s_file_says_nothing_about_whoever_liked_it() -> None:
    first, total, payout = rows(as_csv.creator_statement(creator(), EUR))
    assert (first["gross"], first["fee"], first["net"], first["date"]) == ("3.50", "0.35", "3.15", "2026-11-03")
    assert (total["kind"], total["net"]) == ("total", "3.15")
    assert (payout["kind"], payout["net"], payout["reference"]) == ("payout", "3.15", "tr_1")
    told = json.loads(as_json.creator_statement(creator(), EUR, pretend=False))
    assert not any("patron" in name for name in told["flattrs"][0])


@pytest.mark.parametrize(
    "title",
    [HOSTILE, "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u200e=1", "\uff1d1+1", "\uff0d2", "\ufeff=1"],
)
def test_no_spreadsheet_is_made_to_reckon(title: str) -> None:
    (first, *_) = rows(as_csv.patron_statement(patron(share(title=title)), EUR))
    assert first["title"].startswith("'")
    assert not set(first["title"]) & set("\r\n\t\u202e")
    (mine, *_) = rows(as_csv.creator_statement(creator(title), EUR))
    assert mine["title"] == first["title"]


@given(st.text())
def test_whatever_a_title_is_the_file_keeps_its_shape(title: str) -> None:
    text = as_csv.patron_statement(patron(share(title=title)), EUR)
    text.encode()
    read = rows(text)
    assert len(read) == 7
    assert read[0]["title"] == cell(title)
    assert (
        json.loads(as_json.patron_statement(patron(share(title=title)), EUR, pretend=True))["flattrs"][0]["title"]
        == title
    )


@given(st.text())
def test_one_line_is_one_line_and_says_the_same_twice(text: str) -> None:
    clean = one_line(text)
    assert len(clean.splitlines()) <= 1
    assert one_line(clean) == clean
    clean.encode()


def test_only_addresses_of_the_web_become_links() -> None:
    assert [is_web(url) for url in ("https://a.example", "HTTP://a.example", "javascript:alert(1)", "data:x", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_json_is_named_exact_and_carries_what_the_book_s_script_needs() -> None:
    proofs = {("share", "flattr:77"): PROOF}
    told = json.loads(as_json.patron_statement(patron(share()), EUR, pretend=True, proofs=proofs))
    assert (told["format"], told["currency"], told["pretend_money"]) == ("flattr-hub-statement/1", "EUR", True)
    (flattr,) = told["flattrs"]
    assert flattr["proof"] == {"text": PROOF.text, "salt": PROOF.salt, "book": "2026-12"}
    assert flattr["receipt"] in flattr["proof"]["text"]
    assert str(flattr["amount"]["micros"]) in flattr["proof"]["text"]
    assert flattr["amount"] == {"amount": "3.15 EUR", "micros": 3_150_000}
    whole = told["charge"]["micros"]
    assert sum(each["amount"]["micros"] for each in told["flattrs"]) + told["fee"]["micros"] == whole
    assert [each["state"] for each in told["unpaid"]] == ["pending", "unlisted", "struck"]
    (first, *_) = rows(as_csv.patron_statement(patron(share()), EUR, proofs))
    assert (first["book"], first["salt"]) == ("2026-12", PROOF.salt)


def test_a_hostile_title_is_spelt_out_in_json() -> None:
    text = as_json.patron_statement(patron(share(title=HOSTILE)), EUR, pretend=False)
    assert text.isascii()
    assert json.loads(text)["flattrs"][0]["title"] == HOSTILE


def test_a_year_sheet_has_twelve_months_and_a_total_in_both_forms() -> None:
    charged = tuple(
        ChargedMonth(
            month=month,
            charges=1,
            charge_micros=10_000_000,
            cost_micros=500_000,
            fee_micros=950_000,
            given_back_micros=-1_000_000,
        )
        for month in months_of(2026)
    )
    *months, total = rows(as_csv.patron_year(PatronYear(year=2026, months=charged), EUR))
    assert [row["month"] for row in months] == [f"2026-{number:02}" for number in range(1, 13)]
    assert (total["charged"], total["creators"], total["given_back"]) == ("120.00", "102.60", "-12.00")
    told = json.loads(as_json.patron_year(PatronYear(year=2026, months=charged), EUR, pretend=False))
    assert told["total"]["charged"]["micros"] == sum(each["charged"]["micros"] for each in told["months"])
    paid = tuple(
        PaidMonth(
            month=month,
            flattrs=2,
            fee_micros=350_000,
            cost_micros=0,
            collected_micros=3_150_000,
            taken_back_micros=0,
            paid_out_micros=3_000_000,
            came_back_micros=0,
        )
        for month in months_of(2026)
    )
    year = CreatorYear(year=2026, months=paid, payouts=())
    *_, total = rows(as_csv.creator_year(year, EUR))
    assert (total["gross"], total["collected"], total["paid_out"]) == ("42.00", "37.80", "36.00")
    assert json.loads(as_json.creator_year(year, EUR, pretend=False))["total"]["likes"] == 24
