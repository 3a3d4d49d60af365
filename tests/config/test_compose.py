"""The joined hub: what is due is done at the start, and it leaves in peace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from bot.discord.presence import DiscordPresence
from config.clock import SandboxClock
from config.compose import Hub
from config.listening import Listener, listen
from config.networks.conversing import converse
from config.parts import assemble
from config.schedule import Schedule
from config.settings import ConnectorSection, HubSection, Settings
from connectors.github import connector
from core import likes
from core.events import AccountRef, Messaged, ThingRef
from core.mail import outbox
from core.months import stages
from core.people import persons
from core.periods import month_end, parse_month
from tests.platforms.github_api import FakeGitHub

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
NOVEMBER = parse_month("2026-11")
Start = Callable[..., Awaitable[Hub]]


async def become(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(so):  # noqa: ASYNC110 - a database cannot be awaited
            await asyncio.sleep(0.01)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    hubs: list[Hub] = []
    listeners: list[Listener] = []

    async def go(*, ticking: bool = True, **sections: Any) -> Hub:
        settings = Settings.model_construct(hub=HubSection(port=0, data_dir=tmp_path), **sections)
        listeners.append(listen(settings))
        clock = SandboxClock(tmp_path / "clock.json", source=lambda: AT)
        parts = await asyncio.to_thread(assemble, listeners[-1].settings, clock=clock)
        hub = Hub(parts, ticking=ticking)
        hubs.append(hub)
        await hub.start(listeners[-1])
        return hub

    yield go
    for hub in hubs:
        await hub.close()
    for listener in listeners:
        listener.socket.close()


def _stages(hub: Hub) -> dict[int, str]:
    with hub.parts.db.reading() as tx:
        return {month.id: month.stage for month in stages.months(tx)}


async def test_a_hub_that_was_down_at_midnight_closes_the_month_when_it_starts(start: Start, tmp_path: Path) -> None:
    first = await start()
    await become(lambda: _stages(first) == {NOVEMBER: "open"})
    await first.close()
    SandboxClock(tmp_path / "clock.json", source=lambda: AT).jump_to(month_end(NOVEMBER) + timedelta(days=3))
    second = await start()
    await become(lambda: _stages(second).get(NOVEMBER) == "review")
    SandboxClock(tmp_path / "clock.json", source=lambda: AT).jump_to(month_end(NOVEMBER) + timedelta(days=6))
    await second.advance()
    await become(lambda: _stages(second).get(NOVEMBER) == "settled")


async def test_a_message_is_answered_once_however_often_it_is_told(start: Start) -> None:
    hub = await start()
    by = AccountRef(platform="sandbox", account_id="ada")
    event = Messaged(by=by, text="budget 35 now", message_id="m1")

    def tell() -> tuple[int, bool]:
        with hub.parts.db.transaction() as tx:
            converse(hub.parts, tx, event, AT)
        with hub.parts.db.reading() as tx:
            account = persons.account_of(tx, by)
            answers = [note for note in outbox.listing(tx) if note.source == "sandbox:m1"]
            return len(answers), account is not None and account.spoke_at == AT

    assert await asyncio.to_thread(tell) == (1, True)
    assert await asyncio.to_thread(tell) == (1, True)


async def test_playing_a_month_moves_the_page_on(start: Start) -> None:
    hub = await start()
    await hub.play_month()
    assert (await asyncio.to_thread(_stages, hub))[NOVEMBER] == "settled"


async def test_a_hub_works_while_discord_cannot_be_reached(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.http.Route, "BASE", "http://127.0.0.1:9/api")
    hub = await start(connectors={"discord": ConnectorSection.model_validate({"token": "a.b.c"})})
    [presence] = hub.presences
    there = presence.mouth
    assert isinstance(there, DiscordPresence)
    await become(lambda: there.failures > 0)
    async with aiohttp.ClientSession(hub.parts.settings.hub.address) as http, http.get("/readyz") as answer:
        assert answer.status == 200
    assert not hub.ended.is_set()


async def test_a_hub_asks_those_who_are_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    github = FakeGitHub()
    await github.start()
    github.user(9, "cara")
    github.repository(4242, 9, "song")
    monkeypatch.setattr(connector, "_api", github.base)
    section = ConnectorSection.model_validate({"webhook_secret": "s", "token": "t"})
    hub = await start(ticking=False, connectors={"github": section})

    def flattr() -> None:
        page = ThingRef(platform="web", native_id="https://github.com/cara/song", url="https://github.com/cara/song")
        by = AccountRef(platform="github", account_id="7")
        with hub.parts.db.transaction() as tx:
            persons.ensure_person(tx, by, AT)
            likes.record_by_hand(tx, hub.parts.rules, by, page, None, AT)

    await asyncio.to_thread(flattr)
    assert hub.asking is not None
    await hub.asking.round()
    assert (github.asked, github.tokens) == (["/repos/cara/song"], ["Bearer t"])
    await github.stop()


async def test_a_hub_that_can_ask_nobody_does_not(start: Start) -> None:
    assert (await start()).asking is None


async def test_closing_twice_is_closing_once(start: Start) -> None:
    hub = await start()
    await hub.close()
    await hub.close()


async def test_a_task_runs_at_once_and_an_error_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    async def task() -> None:
        runs.append(1)
        raise ZeroDivisionError

    schedule = Schedule()
    schedule.every(0.02, "task", task)
    schedule.start()
    await become(lambda: len(runs) >= 3)
    await schedule.stop()
    assert "ZeroDivisionError" in caplog.text


async def test_what_runs_is_finished_before_the_schedule_is_stopped() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def task() -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    schedule = Schedule()
    schedule.every(60, "task", task)
    schedule.start()
    await begun.wait()
    stopping = asyncio.create_task(schedule.stop())
    await asyncio.wait({stopping}, timeout=0.05)
    assert not stopping.done()
    may_end.set()
    await stopping
    assert ended.is_set()
