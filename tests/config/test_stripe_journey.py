"""Real money's whole way through the joined hub, with Stripe's own client and a Stripe on loopback."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlmodel import select

from bot import dialogue
from config.clock import SandboxClock
from config.compose import Hub
from config.listening import listen
from config.parts import assemble
from config.settings import HubSection, MoneySection, SandboxSection, Settings, StripeSection
from core.books import invariants, ledger
from core.errands.tables import Errand
from core.events import AccountRef
from core.mail import inbox
from core.months.tables import Payout, Statement
from core.people import persons
from core.recipients.tables import Recipient
from core.reconciling import running as reconciling
from tests.platforms.stripe.fake import FakeStripe

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
SECRETS = ("whsec_of-the-hub", "whsec_of-creators", "whsec_of-thin-ones")
ADA, BRUNO, CLEO = (AccountRef(platform="sandbox", account_id=name, handle=name) for name in ("ada", "bruno", "cleo"))
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+(/(?:card|payouts|pay)/[A-Za-z0-9_-]{43})")
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')


@dataclass
class Journey:
    hub: Hub
    stripe: FakeStripe
    browser: aiohttp.ClientSession

    @property
    def address(self) -> str:
        return self.hub.parts.settings.hub.address

    async def says(self, account: AccountRef, text: str) -> str:
        def say() -> str:
            parts = self.hub.parts
            with parts.db.transaction() as tx:
                return dialogue.answer(tx, parts.talk, account, text, parts.clock()).text

        return await asyncio.to_thread(say)

    async def sent_to_stripe(self, account: AccountRef, word: str) -> str:
        """Ask the bot, open the address, press its button: where it leads."""
        answer = await self.says(account, word)
        match = _ADDRESS.search(answer)
        assert match, answer
        async with self.browser.get(f"{self.address}{match[1]}") as page:
            assert page.status == 200
            token = _TOKEN.search(await page.text())
            assert token
        async with self.browser.post(
            f"{self.address}{match[1]}", data={"token": token[1]}, allow_redirects=False
        ) as button:
            assert button.status == 303, await button.text()
            return button.headers["Location"]

    async def comes_back(self, there: str) -> None:
        async with self.browser.get(there) as page:
            assert page.status == 200, await page.text()

    async def events(self) -> None:
        """Deliver what Stripe has to say, over HTTP, until it has no more, and let the hub work on it."""

        def post(body: bytes, headers: Mapping[str, str]) -> int:
            request = urllib.request.Request(f"{self.address}/webhooks/stripe", body, dict(headers))
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as refused:
                return refused.code

        for _ in range(5):
            await asyncio.to_thread(self.stripe.deliver, post)
            await self.hub.settle()
            if not self.stripe.undelivered:
                return
        raise AssertionError("events are not accepted")

    async def read(self, table: Any) -> list[Any]:
        def rows() -> list[Any]:
            with self.hub.parts.db.reading() as tx:
                return list(tx.exec(select(table)).all())

        return await asyncio.to_thread(rows)

    async def reconciled(self) -> reconciling.Result:
        parts = self.hub.parts
        gateway: Any = parts.gateway
        return await asyncio.to_thread(reconciling.run, parts.db, parts.rules, gateway, parts.clock())


@pytest.fixture
async def journey(tmp_path: Path) -> AsyncIterator[Journey]:
    clock = SandboxClock(tmp_path / "clock.json", source=lambda: AT)
    with FakeStripe.serve(clock=clock, secrets=SECRETS) as stripe:
        settings = Settings.model_construct(
            hub=HubSection(port=0, data_dir=tmp_path),
            money=MoneySection(payments="stripe", cost_percent="2.9", cost_fixed="0.30"),
            stripe=StripeSection(secret_key=stripe.key, webhook_secret=SECRETS, api=stripe.address),
            sandbox=SandboxSection(enabled="true"),
        )
        listener = listen(settings)
        parts = await asyncio.to_thread(assemble, listener.settings, clock=clock)
        hub = Hub(parts, ticking=False)
        await hub.start(listener)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            yield Journey(hub, stripe, browser)
        await hub.close()
        listener.socket.close()


async def test_from_a_card_by_dm_to_a_creators_payout_and_a_clean_reconciliation(journey: Journey) -> None:
    stripe, hub = journey.stripe, journey.hub
    await journey.says(ADA, "budget 35")
    checkout = await journey.sent_to_stripe(ADA, "card")
    assert checkout.startswith(stripe.address)
    await journey.comes_back(await asyncio.to_thread(stripe.person_enters_card, checkout))
    assert "4242" in await journey.says(ADA, "card")

    for creator in (BRUNO, CLEO):
        onboarding = await journey.sent_to_stripe(creator, "payouts")
        await journey.comes_back(await asyncio.to_thread(stripe.person_onboards, onboarding))
    await journey.events()
    # The sandbox's own cast has claimed, too, and is at no processor.
    assert [each.state for each in await journey.read(Recipient) if each.account] == ["active", "active"]

    # Two creators: all of it to one would be held for the operator's word.
    for number in range(5):
        for creator in (BRUNO, CLEO):
            await journey.says(ADA, f"flattr https://square.example/{creator.account_id}/{number}")
    await hub.play_month()
    await journey.events()
    [statement] = [each for each in await journey.read(Statement) if each.charge_micros]
    assert (statement.state, stripe.charged(statement.id)) == ("collected", 3500)

    # Money of a patron's first month waits one payout run longer.
    assert await journey.read(Payout) == []
    await hub.play_month()
    await journey.events()
    payouts = await journey.read(Payout)
    assert [(each.state, stripe.paid(each.id)) for each in payouts] == [("sent", 1575), ("sent", 1575)]

    for _ in range(2):
        result = await journey.reconciled()
        assert result.differences == ()
        assert result.stripe_micros == result.books_micros == stripe.balance * 10_000 == 350 * 10_000 - 132 * 10_000

    def proved() -> tuple[list[Any], int, int]:
        with hub.parts.db.reading() as tx:
            letters = inbox.counts(tx)
            due = ledger.owed(tx, ledger.creator(persons.key(persons.person_of(tx, BRUNO))))
            return invariants.broken(tx), letters.dead, due

    assert await asyncio.to_thread(proved) == ([], 0, 0)
    assert {each.state for each in await journey.read(Errand)} == {"done"}
    async with journey.browser.get(f"{journey.address}/metrics") as page:
        figures = await page.text()
    assert "flattr_reconciliation_differences 0.0" in figures
    assert "flattr_payments_pretend 1.0" in figures


async def test_what_stripe_did_not_sign_is_turned_away_and_nothing_of_it_is_kept(journey: Journey) -> None:
    await journey.says(ADA, "budget 35")
    await asyncio.to_thread(journey.stripe.top_up, 1000)
    [*deliveries] = await asyncio.to_thread(journey.stripe.take_events)
    assert deliveries
    for each in deliveries:
        for body, headers in (
            (each.body.replace(b"evt_", b"evt_x"), each.headers),
            (each.body, each.signed(each.at, "whsec_of-somebody-else")),
            (each.body, each.signed(each.at - 301)),
            (each.body, each.signed(each.at + 61)),
            (each.body, {}),
        ):
            async with journey.browser.post(f"{journey.address}/webhooks/stripe", data=body, headers=headers) as answer:
                assert answer.status == 401
    assert await journey.read(Errand) == []
