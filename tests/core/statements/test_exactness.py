"""Statements add up to the micro and agree with the ledger, whatever the month was like."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from core.books import ledger, reversals
from core.books.tables import Posting
from core.database import Database
from core.holds.tables import Hold
from core.money import currency
from core.months import payouts, shares, statements
from core.people import preferences
from core.periods import month_of
from core.rules import Rules
from core.statements import earned, years
from tests.scene import DECLINES, EUR, PAYS, Scene

CREATORS = ("carol", "dave", "erin")
PATRONS = ("ann", "bob")


@given(st.integers(0, 10**12), st.integers(1, 500))
def test_the_parts_of_a_fee_add_up_to_the_fee(whole: int, count: int) -> None:
    parts = [shares.part(whole, count, place) for place in range(count)]
    assert sum(parts) == whole
    assert max(parts) - min(parts) <= 1


@st.composite
def months(draw: st.DrawFn) -> dict[str, object]:
    """What everybody likes, what they give, whose card pays, who bears its cost, what goes back."""
    return {
        name: {
            "budget": draw(st.integers(200, 9_999)) / 100,
            "likes": draw(st.lists(st.sampled_from(CREATORS), max_size=9)),
            "pays": draw(st.booleans()),
            "bears": draw(st.booleans()),
            "back": draw(st.sampled_from([0.0, 0.0, 0.37, 1.0])),
        }
        for name in PATRONS
    }


def play(scene: Scene, story: dict) -> tuple[dict[str, int], dict[str, int], int]:
    creators = {name: scene.creator(name) for name in CREATORS}
    patrons = {}
    for name, what in story.items():
        patrons[name] = scene.patron(name, what["budget"], PAYS if what["pays"] else DECLINES)
        with scene.db.transaction() as tx:
            preferences.bear_cost(tx, patrons[name], agreed=what["bears"])
        for number, author in enumerate(what["likes"]):
            scene.like(name, f"{name}-{author}-{number}", author)
    month = scene.close_month()
    for name, what in story.items():
        with scene.db.transaction() as tx:
            found = statements.patron_statement(tx, scene.rules, patrons[name], month, scene.at)
            if found and found.state == "collected" and what["back"]:
                micros = scene.rules.money.floor(round(found.charge_micros * what["back"]))
                reversals.take_back(tx, statement_id=found.id, amount_micros=micros, source=f"re_{name}", at=scene.at)
    return creators, patrons, month


def postings(scene: Scene) -> list[Posting]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(Posting)))


@settings(max_examples=15, deadline=None)
@given(story=months())
def test_both_sides_of_any_month_add_up_and_agree_with_the_ledger(sqlite_template: Path, story: dict) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(sqlite_template, Path(folder) / "hub.db")
        db = Database(f"sqlite:///{folder}/hub.db")
        rules = Rules(money=currency("EUR"), pseudonym_key=b"k", cost_bp=150, cost_fixed_micros=250_000)
        scene = Scene(db, rules, datetime(2026, 11, 10, 12, tzinfo=UTC))
        try:
            proven(scene, *play(scene, story))
            assert scene.broken() == []
        finally:
            db.dispose()


def proven(scene: Scene, creators: dict[str, int], patrons: dict[str, int], month: int) -> None:
    moved: Counter[tuple[str, int]] = Counter()
    for posting in postings(scene):
        moved[posting.kind, posting.credit] += posting.amount_micros
        moved[posting.kind, posting.debit] -= posting.amount_micros
    with scene.db.reading() as tx:
        given_ = {
            line.receipt: line
            for person in patrons.values()
            if (found := statements.patron_statement(tx, scene.rules, person, month, scene.at)) is not None
            for line in found.shares
        }
        for person in patrons.values():
            found = statements.patron_statement(tx, scene.rules, person, month, scene.at)
            if found is None:
                continue
            assert found.charge_micros <= found.budget_micros
            of_shares = sum(line.micros for line in found.shares)
            if found.shares:
                assert of_shares + found.fee_micros + found.cost_micros == found.charge_micros
                assert sum(line.gross_micros for line in found.shares) == found.charge_micros
            clearing = ledger.patron(person)
            collected = found.charge_micros if found.state == "collected" else 0
            assert collected == moved["charge", clearing]
            assert found.given_back_micros == -moved["charge_back", clearing]
            sheet = years.patron_year(tx, person, scene.at.year)
            assert sheet.total.charge_micros == collected
            assert sheet.total.creators_micros == (of_shares if collected else 0)
            assert sheet.total.given_back_micros == found.given_back_micros
        for person in creators.values():
            mine = earned.creator_statement(tx, person, month)
            for line in mine.lines:  # the very same receipt and amounts on both sides
                other = given_.pop(line.receipt)
                assert (line.micros, line.gross_micros, line.state) == (other.micros, other.gross_micros, other.state)
                assert line.taken_back_micros == other.taken_back_micros
            assert mine.gross_micros - mine.fee_micros - mine.cost_micros == mine.net_micros
            account = ledger.creator(person)
            assert mine.collected_micros == moved["share", account]
            assert mine.taken_back_micros == -moved["share_back", account]
            assert mine.collected_micros - mine.taken_back_micros == ledger.owed(tx, account)
            sheet_ = years.creator_year(tx, person, scene.at.year).total
            assert (sheet_.collected_micros, sheet_.taken_back_micros) == (
                mine.collected_micros,
                mine.taken_back_micros,
            )
            arrived = [line for line in mine.lines if line.has_arrived]
            assert sheet_.gross_micros == sum(line.gross_micros for line in arrived)
            assert sheet_.flattrs == len(arrived)
        assert given_ == {}


def test_december_s_likes_that_are_collected_in_january_belong_to_the_new_year(scene: Scene) -> None:
    scene.at = datetime(2026, 12, 10, tzinfo=UTC)
    ann, carol = scene.patron("ann", 10), scene.creator("carol")
    scene.like("ann", "song", "carol")
    month = scene.close_month()
    with scene.db.reading() as tx:
        assert years.patron_year(tx, ann, 2026).total.charge_micros == 0
        assert years.patron_year(tx, ann, 2027).months[0].charge_micros == 10 * EUR
        assert years.creator_year(tx, carol, 2026).total.gross_micros == 0
        assert years.creator_year(tx, carol, 2027).months[0].gross_micros == 10 * EUR
        assert earned.creator_statement(tx, carol, month).gross_micros == 10 * EUR


def test_payouts_are_listed_with_day_and_reference_in_the_month_they_went_out(scene: Scene) -> None:
    carol = scene.creator("carol")
    scene.patron("ann", 10)
    scene.like("ann", "song", "carol")
    month = scene.close_month()
    for _ in range(2):  # the money of new patrons waits a run
        with scene.db.reading() as tx:
            scene.at = payouts.next_run(tx, scene.rules, scene.at)
        scene.advance()
    with scene.db.reading() as tx:
        (paid,) = earned.creator_statement(tx, carol, month_of(scene.at)).payouts
        assert (paid.micros, paid.state, paid.at.date()) == (9 * EUR, "sent", scene.at.date())
        assert paid.reference
        sheet = years.creator_year(tx, carol, scene.at.year)
        assert sheet.total.paid_out_micros == 9 * EUR
        assert earned.earned_months(tx, carol) == [month_of(scene.at), month]
        assert statements.earnings(tx, scene.rules, carol, scene.at).paid_micros == 9 * EUR


def test_what_never_became_a_share_is_on_the_statement_and_costs_nothing(scene: Scene) -> None:
    ann = scene.patron("ann", 10)
    scene.creator("carol")
    scene.like("ann", "song", "carol")
    scene.like("ann", "tune", "stranger")
    scene.like("ann", "gone", "carol")
    scene.unlike("ann", "gone")
    month = scene.close_month()
    with scene.db.reading() as tx:
        found = statements.patron_statement(tx, scene.rules, ann, month, scene.at)
    assert found is not None
    assert [(line.creator, line.state, line.micros) for line in found.shares] == [("carol", "collected", 9 * EUR)]
    assert [line.url for line in found.pending] == ["https://pond.example/tune"]
    assert [line.state for line in found.left_out] == ["withdrawn"]


def test_a_card_that_never_pays_leaves_lapsed_shares_on_both_sides(scene: Scene) -> None:
    ann, carol = scene.patron("ann", 10, DECLINES), scene.creator("carol")
    scene.like("ann", "song", "carol")
    month = scene.close_month()
    states = []
    for _ in range(2):
        with scene.db.reading() as tx:
            found = statements.patron_statement(tx, scene.rules, ann, month, scene.at)
            mine = earned.creator_statement(tx, carol, month)
        assert found is not None
        states.append((found.shares[0].state, mine.lines[0].state, mine.net_micros, mine.collected_micros))
        scene.until_settled(month)
    assert states == [("due", "due", 9 * EUR, 0), ("lapsed", "lapsed", 9 * EUR, 0)]


def test_a_hold_shows_on_both_sides_until_it_is_decided(scene: Scene) -> None:
    ann, carol = scene.patron("ann", 10), scene.creator("carol")
    scene.like("ann", "song", "carol")
    month = scene.close_month()
    with scene.db.transaction() as tx:
        tx.add(
            Hold(
                month=month,
                patron_id=ann,
                creator_id=carol,
                micros=9 * EUR,
                reasons="mutual",
                made_at=scene.at,
            )
        )
    with scene.db.reading() as tx:
        found = statements.patron_statement(tx, scene.rules, ann, month, scene.at)
        mine = earned.creator_statement(tx, carol, month)
        assert statements.earnings(tx, scene.rules, carol, scene.at).held_micros == 9 * EUR
    assert found is not None
    assert (found.shares[0].state, found.shares[0].held_for) == ("held", ("mutual",))
    assert (mine.lines[0].state, mine.held_micros, mine.collected_micros) == ("held", 9 * EUR, 9 * EUR)
    with scene.db.transaction() as tx:
        for hold in tx.exec(select(Hold)):
            hold.state = "released"
    with scene.db.reading() as tx:
        assert earned.creator_statement(tx, carol, month).lines[0].state == "collected"
