"""The ways to the processor and back in a real browser: the real gateway, a Stripe on loopback, two sites."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect
from sqlmodel import Session, select

from core.access import visits
from core.database import Database
from core.months.tables import Statement
from core.payments.stripe.gateway import StripeGateway
from core.people import budgets, cards, claims, persons
from core.recipients import onboarding
from core.rules import Rules
from tests.pages.paying_street import served
from tests.pages.tabs import complaints_of
from tests.platforms.stripe import cards as plastic
from tests.platforms.stripe.fake import FakeStripe
from tests.scene import EUR, Scene


@dataclass
class Town:
    """A hub on one site (localhost), Stripe on another (127.0.0.1)."""

    scene: Scene
    stripe: FakeStripe
    url: str

    async def address(self, name: str, page: str, intent: str = "", door: str = "") -> str:
        def begin() -> str:
            with self.scene.db.transaction() as tx:
                by, at = self.scene.account(name), self.scene.at
                persons.ensure_person(tx, by, at)
                return visits.begin(tx, by=by, platform=f"hub:{page}", intent=intent, at=at)

        return f"{self.url}/{door or page}/{await asyncio.to_thread(begin)}"

    async def read(self, name: str, work) -> object:
        def done() -> object:
            with self.scene.db.transaction() as tx:
                person = persons.person_of(tx, self.scene.account(name))
                assert person is not None
                return work(tx, persons.key(person))

        return await asyncio.to_thread(done)

    async def card(self, name: str) -> str:
        def read(tx: Session, person: int) -> str:
            row = cards.card_of(tx, person)
            return f"{row.brand} {row.last4} {row.country}" if row else ""

        return str(await self.read(name, read))

    async def can_pay(self, name: str) -> bool:
        return bool(await self.read(name, lambda tx, person: onboarding.can_pay(tx, self.scene.gateway, person)))

    async def owes(self, name: str) -> int:
        """A month that a try did not collect."""

        def play() -> int:
            with self.scene.db.transaction() as tx:
                person = persons.person_of(tx, self.scene.account(name))
                assert person is not None
                budgets.set_budget(
                    tx, self.scene.rules, person_id=persons.key(person), amount_micros=10 * EUR, at=self.scene.at
                )
                maker = persons.ensure_person(tx, self.scene.account("maker"), self.scene.at)
                claims.claim(tx, self.scene.rules, person_id=persons.key(maker), at=self.scene.at, can_pay=True)
            self.scene.like(name, "song")
            self.scene.close_month()
            with self.scene.db.reading() as tx:
                row = tx.exec(select(Statement).where(Statement.state == "due")).one()
                assert row.id is not None
                assert row.attempts == 1
                return row.id

        return await asyncio.to_thread(play)


@pytest.fixture
async def town(sqlite_db: Database, rules: Rules, at) -> AsyncIterator[Town]:
    scene = Scene(sqlite_db, rules, at)
    with FakeStripe.serve(clock=lambda: scene.at) as stripe:
        scene.gateway = StripeGateway(sqlite_db, key=stripe.key, api=stripe.address, address="https://hub.example")
        async with served(scene, address="http://localhost:{port}") as url:
            yield Town(scene, stripe, url.replace("127.0.0.1", "localhost"))
    assert await asyncio.to_thread(scene.broken) == []


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Page]:
    """A page whose every complaint (errors, what the policy refuses) fails the test."""
    page = await browser.new_page(viewport={"width": 390, "height": 844})
    complaints = complaints_of(page)
    yield page
    # What the processor's own pages lack (a favicon) is not the hub's.
    assert [each for each in complaints if "404" not in each and "favicon" not in each] == []


def button(tab: Page, name: str):
    return tab.get_by_role("button", name=name, exact=True)


async def heading(tab: Page, text: str) -> None:
    await expect(tab.get_by_role("heading", level=1)).to_have_text(text)


async def wide(tab: Page) -> int:
    return int(await tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


async def enter(town: Town, tab: Page, name: str, card: plastic.Card) -> None:
    await tab.goto(await town.address(name, "card"))
    assert await wide(tab) <= 0
    await button(tab, "Go on at Stripe").click()
    await heading(tab, "Save your card")
    assert urlsplit(tab.url).hostname == "127.0.0.1"
    await tab.locator(f'button[name="card"][value="{card.name}"]').click()


async def test_a_card_is_entered_at_stripe_and_taken(town: Town, tab: Page) -> None:
    await enter(town, tab, "ann", plastic.PAYS)
    await heading(tab, "Your card is taken")
    assert urlsplit(tab.url).hostname == "localhost"
    await expect(tab.locator("main")).to_contain_text("ending in 4242")
    await expect(tab.locator("main")).to_contain_text("Test money")
    assert await wide(tab) <= 0
    assert (await town.card("ann")).endswith("4242 DE")
    await tab.reload()
    await heading(tab, "Your card is taken")


async def test_who_turns_back_and_then_goes_again_enters_it_after_all(town: Town, tab: Page) -> None:
    await tab.goto(address := await town.address("ann", "card"))
    await button(tab, "Go on at Stripe").press("Enter")
    await button(tab, "Back").click()
    await heading(tab, "No card was entered")
    await button(tab, "Go there once more").click()
    await heading(tab, "Save your card")
    await tab.goto(address)  # as by the browser's own way back
    town.scene.later(seconds=5)
    await button(tab, "Go on at Stripe").click()
    await tab.locator(f'button[name="card"][value="{plastic.PAYS.name}"]').click()
    await heading(tab, "Your card is taken")


async def test_a_charge_is_confirmed_with_the_bank(town: Town, tab: Page) -> None:
    await enter(town, tab, "ann", plastic.AUTHENTICATES)
    await heading(tab, "Your card is taken")
    statement = await town.owes("ann")
    await tab.goto(await town.address("ann", "card", f"pay:{statement}", "pay"))
    await button(tab, "Pay 10.00 EUR for November 2026").click()
    await heading(tab, "Your bank")
    await button(tab, "Refuse").click()
    await heading(tab, "Not confirmed")
    assert town.stripe.charged(statement) == 0
    await button(tab, "Try again").click()
    await heading(tab, "Your bank")
    await button(tab, "Confirm").click()
    await heading(tab, "Paid")
    assert town.stripe.charged(statement) == 1000
    await tab.reload()
    await heading(tab, "Paid")
    assert town.stripe.charged(statement) == 1000


async def test_a_creator_is_payable_once_stripe_says_so(town: Town, tab: Page) -> None:
    await tab.goto(await town.address("carol", "payouts"))
    await button(tab, "Go on at Stripe").click()
    await heading(tab, "Who you are")
    await button(tab, "Later").click()
    await heading(tab, "Not done yet")
    assert not await town.can_pay("carol")
    town.scene.later(seconds=5)
    await button(tab, "Go on at Stripe").click()
    await heading(tab, "Who you are")
    town.scene.later(minutes=6)
    await tab.reload()  # Stripe's link is too old by now, and leads to a new one by way of the hub
    await heading(tab, "Who you are")
    await button(tab, "Everything is filled in").click()
    await heading(tab, "You can be paid")
    assert await town.can_pay("carol")


async def test_in_another_browser_nothing_is_learned_or_shown(town: Town, tab: Page, browser: Browser) -> None:
    await enter(town, tab, "ann", plastic.PAYS)
    await heading(tab, "Your card is taken")
    back = tab.url
    other = await (await browser.new_context()).new_page()
    await other.goto(back)
    await heading(other, "You can close this page")
    assert "4242" not in await other.locator("main").inner_text()
