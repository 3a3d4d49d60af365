"""Examines the payments: the key, what Stripe is to call, the last reconciliation, what waits, what prices mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from rich.markup import escape
from sqlmodel import Session, SQLModel, col

from config.commands import show
from config.commands.diagnosis.findings import Finding
from config.parts import Parts
from config.payments import tariff as prices
from config.payments.processor import hosted
from core.errands import keeping
from core.holds.tables import Hold
from core.money import show as sum_of
from core.payments.hosted import Unanswered
from core.reconciling import last
from core.returns.tables import Dispute
from webhooks.stripe import ACCOUNT_EVENTS, CONNECTED_EVENTS, OWN_EVENTS

_STALE = timedelta(days=2)

_DESTINATIONS: tuple[tuple[str, str, Iterable[str]], ...] = (
    ("Your account", "snapshot", OWN_EVENTS),
    ("Connected accounts", "snapshot", CONNECTED_EVENTS),
    ("Connected accounts", "thin", ACCOUNT_EVENTS),
)
"""Where their events are from, how they are told, and which."""


def examine(tx: Session, parts: Parts) -> Iterator[Finding]:
    """What can be seen of the payments without asking Stripe; little where they are pretend."""
    if held := _count(tx, Hold, col(Hold.state) == "held"):
        yield Finding(
            what="holds",
            state="attention",
            text=f"{held} payments wait for your word",
            remedy="`flattr holds` says why, and releases or voids them",
        )
    if hosted(parts.gateway) is None:
        return
    yield from _set_up(parts)
    yield from _reconciled(tx, parts)
    yield from _waiting(tx)
    yield from _tariff(parts)


def try_out(parts: Parts) -> list[Finding]:
    """Whether Stripe takes the key; nothing there is changed."""
    gateway = hosted(parts.gateway)
    if gateway is None:
        return []
    try:
        gateway.check()
    except Unanswered as silent:
        remedy = (
            "compare stripe.secret_key with the Dashboard, Developers, API keys; see whether this machine may reach it"
        )
        return [Finding(what="stripe", state="attention", text=f"the key was not taken: {silent}", remedy=remedy)]
    return [Finding(what="stripe", state="well", text="key: taken")]


def _set_up(parts: Parts) -> Iterator[Finding]:
    settings = parts.settings
    given = {each.get_secret_value() for each in settings.stripe.webhook_secret} - {""}
    if not given:
        yield Finding(
            what="stripe",
            state="attention",
            text="stripe.webhook_secret is missing: the hub turns every event of Stripe's away",
            remedy="make the webhook destinations below, and set the signing secret of each",
        )
    elif not all(each.startswith("whsec_") for each in given):
        yield Finding(
            what="stripe",
            state="attention",
            text="a value of stripe.webhook_secret is no signing secret of Stripe's: those begin with whsec_",
            remedy="copy each destination's signing secret from the Dashboard, Workbench, Webhooks",
        )
    elif len(given) < len(_DESTINATIONS):
        yield Finding(
            what="stripe",
            state="note",
            text=f"stripe.webhook_secret has {len(given)} of {len(_DESTINATIONS)} signing secrets",
            remedy="each destination below has one; events of one whose secret is missing are turned away",
        )
    if not settings.hub.address.startswith("https://"):
        yield Finding(
            what="stripe",
            state="attention",
            text=f"Stripe and people are told {settings.hub.address}, which is not encrypted",
            remedy="set hub.public_url to the https address under which the hub is reached from outside",
        )


def _reconciled(tx: Session, parts: Parts) -> Iterator[Finding]:
    ran = last.finished(tx)
    if ran is None:
        yield Finding(
            what="reconciliation",
            state="note",
            text="there was none yet",
            remedy="a running hub does it daily; `flattr reconcile` does it at once",
        )
        return
    if ran.differences:
        yield Finding(
            what="reconciliation",
            state="broken",
            text=f"{ran.differences} differences between Stripe and the books ({ran.began_at:%Y-%m-%d %H:%M})",
            remedy="`flattr reconcile` lists each with its remedy; docs/money.md",
        )
    elif ran.began_at < parts.clock() - _STALE:
        yield Finding(
            what="reconciliation",
            state="attention",
            text=f"the last one was {ran.began_at:%Y-%m-%d %H:%M}",
            remedy="a running hub does it daily; its log says what keeps it from it",
        )
    else:
        yield Finding(what="reconciliation", state="well", text=f"no differences ({ran.began_at:%Y-%m-%d %H:%M})")


def _waiting(tx: Session) -> Iterator[Finding]:
    errands = keeping.counts(tx)
    if errands.failed:
        yield Finding(
            what="errands",
            state="attention",
            text=f"{errands.failed} looks at Stripe were given up",
            remedy="`flattr payments` lists them with the reason; a bug is worth a report",
        )
    else:
        yield Finding(what="errands", state="well", text=f"{errands.done} done, {errands.waiting} waiting, none failed")
    if disputes := _count(tx, Dispute, col(Dispute.closed_at).is_(None)):
        yield Finding(
            what="disputes",
            state="attention",
            text=f"{disputes} are open",
            remedy="answer them in Stripe's Dashboard, Disputes, before their deadline; `flattr payments` lists them",
        )


def _tariff(parts: Parts) -> Iterator[Finding]:
    rules, money = parts.rules, parts.rules.money
    if not rules.cost_bp and not rules.cost_fixed_micros:
        yield Finding(
            what="tariff",
            state="attention",
            text="money.cost_percent and money.cost_fixed are 0: the hub does not know what cards cost",
            remedy="set both to your prices at Stripe (its pricing page, or the Dashboard)",
        )
        return
    budget, payout = prices.smallest_budget(rules), prices.smallest_payout(rules, prices.tariff_of(parts.settings))
    if budget is None:
        text = "the fee never covers the card under this tariff"
    else:
        text = f"the fee covers the card from {sum_of(budget, money)} a month"
    covered = f"payouts from {sum_of(payout, money)} on" if payout is not None else "payouts never"
    least = sum_of(rules.budget_min_micros, money)
    below = budget is None or rules.budget_min_micros < budget
    yield Finding(
        what="tariff",
        state="note" if below else "well",
        text=f"{text}, {covered}; the smallest budget is {least}",
        remedy="smaller budgets cost the hub money: raise money.budget_min, or bear it (`flattr tariff`)"
        if below
        else "",
    )


def _count(tx: Session, table: type[SQLModel], where: sa.ColumnElement[bool]) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(table).where(where)).scalar_one())


def destinations(parts: Parts) -> list[dict[str, Any]]:
    """The webhook destinations to make at Stripe, with the exact events of each."""
    address = f"{parts.settings.hub.address}/webhooks/stripe"
    return [
        {"events_from": scope, "payload": style, "address": address, "events": list(events)}
        for scope, style, events in _DESTINATIONS
    ]


def print_destinations(parts: Parts) -> None:
    """The webhook destinations, for people."""
    console = show.console()
    console.print("[bold]Stripe[/]  Dashboard, Workbench, Webhooks: make one destination for each of these")
    for number, each in enumerate(destinations(parts), 1):
        console.print(
            f"  {number}. events from: {escape(each['events_from'])}; payload: {each['payload']};"
            f" to {escape(each['address'])}",
            soft_wrap=True,
        )
        for event in each["events"]:
            console.print(f"       {escape(event)}", soft_wrap=True)
    console.print("  Then set stripe.webhook_secret to a list of the signing secrets of all three.\n", soft_wrap=True)
