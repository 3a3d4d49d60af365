"""Closing by hand: rehearsed without a trace, refused with the remedy, done by the same code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlmodel import Session, SQLModel, select

from bot import dialogue
from config import closing, proof
from config.clock import SandboxClock
from config.complaints import Impossible
from config.parts import Parts, assemble
from config.rehearsal import rehearsing
from config.settings import HubSection, MoneySection, Settings
from core.database import Busy, Database
from core.events import AccountRef
from core.months.tables import Month
from core.people.tables import Person
from core.periods import month_end, month_of, parse_month
from tests.config.hub_process import data

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
NOVEMBER = parse_month("2026-11")


@pytest.fixture
def clock(tmp_path: Path) -> SandboxClock:
    return SandboxClock(tmp_path / "clock.json", source=lambda: AT)


@pytest.fixture
def parts(tmp_path: Path, clock: SandboxClock) -> Any:
    made = assemble(Settings.model_construct(hub=HubSection(data_dir=tmp_path)), clock=clock)
    yield made
    made.close()


def _say(parts: Parts, account: str, text: str) -> str:
    platform, account_id = account.split(":")
    with parts.db.transaction() as tx:
        by = AccountRef(platform=platform, account_id=account_id)
        return dialogue.answer(tx, parts.talk, by, text, parts.clock()).text


def _a_month(parts: Parts) -> None:
    _say(parts, "sandbox:bruno", "claim")
    _say(parts, "sandbox:chiyo", "claim")
    _say(parts, "sandbox:ada", "budget 10 now")
    _say(parts, "sandbox:ada", "flattr https://square.example/bruno/1")
    _say(parts, "sandbox:ada", "flattr https://square.example/chiyo/1")


def _everything(db: Database) -> list[str]:
    with db.reading() as tx:
        return [repr(tx.connection().execute(table.select()).all()) for table in SQLModel.metadata.sorted_tables]


def test_a_rehearsal_shows_what_closing_would_do_and_leaves_no_trace(parts: Parts) -> None:
    _a_month(parts)
    before = _everything(parts.db)
    result = closing.rehearse(parts, NOVEMBER)
    (bill,) = result.bills
    assert (bill.charge_micros, bill.fee_micros, bill.flattrs) == (10_000_000, 1_000_000, 2)

    assert [each.micros for each in result.creators] == [4_500_000, 4_500_000]
    assert _everything(parts.db) == before
    assert parts.clock() == AT


def test_a_rehearsal_shows_what_then_really_happens(parts: Parts) -> None:
    _a_month(parts)
    rehearsed = closing.rehearse(parts, NOVEMBER)
    closing.play(parts)
    done = closing.close(parts, NOVEMBER, closing.silent, now=False)
    assert done is not None
    assert [bill.charge_micros for bill in done.bills] == [bill.charge_micros for bill in rehearsed.bills]
    assert done.creators == rehearsed.creators
    assert done.stage == "settled"
    assert done.steps == ()


def test_skipping_a_month_ends_with_it_settled_and_a_second_one_pays(parts: Parts) -> None:
    _a_month(parts)
    closing.play(parts)
    assert month_of(parts.clock()) == NOVEMBER + 1
    assert proof.sent_micros(parts) == 0  # money of a patron's first months waits one run longer
    closing.play(parts)
    assert proof.sent_micros(parts) == 9_000_000


def test_what_the_hub_has_to_say_is_said_between_the_jumps(parts: Parts) -> None:
    _a_month(parts)
    said: list[datetime] = []
    closing.play(parts, settle=lambda: said.append(parts.clock()))
    assert said == sorted(set(said))
    assert said[0] == AT
    assert month_end(NOVEMBER) < said[1] < said[-1]


def test_an_open_month_is_not_closed_for_real(parts: Parts) -> None:
    _a_month(parts)
    before = _everything(parts.db)
    with pytest.raises(Impossible, match=r"2026-11 is not over: it ends on 2026-12-01 .*--dry-run"):
        closing.close(parts, NOVEMBER, closing.silent, now=True)
    assert _everything(parts.db) == before


def test_a_running_review_ends_at_the_operators_word(parts: Parts, clock: SandboxClock) -> None:
    _a_month(parts)
    clock.jump_to(month_end(NOVEMBER) + timedelta(hours=2))
    waiting = closing.close(parts, None, closing.silent, now=False)
    assert waiting is not None
    assert waiting.stage == "review"
    done = closing.close(parts, None, closing.silent, now=True)
    assert done is not None
    assert done.stage == "settled"
    assert [bill.state for bill in done.bills] == ["collected"]


def test_a_month_that_is_closed_or_to_come_cannot_be_rehearsed(parts: Parts) -> None:
    _a_month(parts)
    with pytest.raises(Impossible, match="2026-12 has not begun; choose a month up to 2026-11"):
        closing.rehearse(parts, NOVEMBER + 1)
    closing.play(parts)
    with pytest.raises(Impossible, match="2026-11 is settled already"):
        closing.rehearse(parts, NOVEMBER)


def test_a_rehearsal_keeps_nothing_on_any_database(db: Database) -> None:
    def people(tx: Session) -> int:
        return len(tx.exec(select(Person)).all())

    with rehearsing(db) as stage:
        with stage.transaction() as tx:
            tx.add(Person(created_at=AT))
        with contextlib.suppress(ZeroDivisionError), stage.transaction() as tx:
            tx.add(Person(created_at=AT))
            tx.flush()
            raise ZeroDivisionError
        with stage.reading() as tx:
            assert people(tx) == 1
        with stage.exclusively("months"), pytest.raises(Busy), db.exclusively("months"):
            pass
    with db.reading() as tx:
        assert people(tx) == 0


def test_the_command_rehearses_the_open_month_and_refuses_to_close_it(flattr: Callable[..., Result]) -> None:
    flattr("say", "sandbox:bruno", "claim")
    flattr("say", "sandbox:ada", "budget", "35", "now")
    flattr("say", "sandbox:ada", "flattr https://square.example/bruno/1")
    rehearsed = data(flattr("close", "--dry-run", "--json"))
    assert [bill["charge_micros"] for bill in rehearsed["result"]["bills"]] == [35_000_000]
    assert "31.50" in flattr("close", "--dry-run").output
    refused = flattr("close", rehearsed["month"])
    assert refused.exit_code == 1
    assert "is not over" in refused.stderr
    assert "Nothing is due" in flattr("close").output


def test_review_hours_of_zero_are_allowed(tmp_path: Path, clock: SandboxClock) -> None:
    settings = Settings.model_construct(hub=HubSection(data_dir=tmp_path), money=MoneySection(review_hours=0))
    made = assemble(settings, clock=clock)
    try:
        _a_month(made)
        closing.play(made)
        with made.db.reading() as tx:
            assert tx.get_one(Month, NOVEMBER).stage == "settled"
    finally:
        made.close()
