"""Who moves the money: chosen by the settings, and refused where it could not work or would mix up books."""

from __future__ import annotations

import re
from typing import Literal

from sqlmodel import select

from config.complaints import Misconfigured
from config.money import usual_bounds
from config.settings import PREFIX, Settings
from core import countries
from core.books.tables import Posting
from core.database import Database
from core.money import parse_amount, plain
from core.months.tables import Charge
from core.payments.gateway import Gateway
from core.payments.hosted import HostedGateway
from core.payments.sandbox import SandboxGateway
from core.payments.stripe.currencies import why_not
from core.payments.stripe.gateway import StripeGateway
from core.payments.tables import Counterpart
from core.people.tables import Card
from core.rules import Rules
from core.tables import Setting

Mode = Literal["sandbox", "stripe test", "stripe"]
"""sandbox: nobody moves money; stripe test: Stripe does, with test cards; stripe: it is real."""

_KEY = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9_]+", re.ASCII)
_KEPT = "payments"
_DESCRIPTOR = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 .,&-]{1,22}", re.ASCII)


def mode_of(settings: Settings) -> Mode:
    """Whose money it is; Misconfigured for a key that is missing or no secret key."""
    if settings.money.payments == "sandbox":
        return "sandbox"
    key = settings.stripe.secret_key.get_secret_value()
    name = f"stripe.secret_key ({PREFIX}STRIPE__SECRET_KEY)"
    if not key:
        raise Misconfigured(
            f"money.payments is stripe, but {name} is missing: it is in Stripe's Dashboard, Developers, API keys;"
            " without one leave money.payments at sandbox (docs/money.md)"
        )
    match = _KEY.fullmatch(key)
    if match is None:
        raise Misconfigured(
            f"{name} is not a secret key: it begins with sk_test_ or sk_live_ (rk_ for a restricted one); the one that"
            " begins with pk_ is for browsers, whsec_ belongs to stripe.webhook_secret"
        )
    return "stripe" if match[1] == "live" else "stripe test"


def check(settings: Settings, rules: Rules) -> Mode:
    """Whether the payments can work as they are set; Misconfigured names the setting that cannot."""
    mode = mode_of(settings)
    if mode == "sandbox":
        return mode
    money, stripe = rules.money, settings.stripe
    if reason := why_not(money):
        raise Misconfigured(f"money.currency: {reason}")
    least = usual_bounds(money.code).get("charge_min")
    if least is not None and rules.charge_min_micros < parse_amount(least, money):
        raise Misconfigured(
            f"money.charge_min must be at least {least}: Stripe takes no smaller charge in {money.code}"
        )
    if rules.budget_min_micros < rules.charge_min_micros:
        raise Misconfigured(
            f"money.budget_min must be at least money.charge_min ({plain(rules.charge_min_micros, money)}): a smaller"
            " budget could never be charged"
        )
    if stripe.descriptor and not _DESCRIPTOR.fullmatch(stripe.descriptor):
        raise Misconfigured(
            "stripe.descriptor must be up to 22 letters, digits, spaces or .,&- with at least one letter; with more"
            " than four of them banks print the month only"
        )
    if nowhere := [code for code in stripe.countries if countries.name(code) == code]:
        raise Misconfigured(
            f"stripe.countries has {nowhere[0]}, which is no country's code; write ISO 3166, as DE for Germany or GB"
            " for the United Kingdom"
        )
    if mode == "stripe" and settings.sandbox.enabled == "true":
        raise Misconfigured(
            "sandbox.enabled is true, but stripe.secret_key is a live one: pretend likes would move real money; leave"
            " sandbox.enabled out, or use a test key"
        )
    if mode == "stripe" and stripe.api:
        raise Misconfigured("stripe.api is for tests and cannot be set with a live key; leave it out")
    return mode


def gateway_of(settings: Settings, db: Database) -> Gateway:
    """The processor that the settings (checked before) name."""
    if settings.money.payments == "sandbox":
        return SandboxGateway(db)
    stripe = settings.stripe
    return StripeGateway(
        db,
        key=stripe.secret_key.get_secret_value(),
        api=stripe.api,
        address=settings.hub.address,
        descriptor=stripe.descriptor or "FLATTR",
        currency=settings.money.currency,
    )


def hosted(gateway: Gateway) -> HostedGateway | None:
    """The processor, if it is one in another house; None for the pretend one."""
    return gateway if isinstance(gateway, HostedGateway) else None


def keep_mode(db: Database, mode: Mode) -> None:
    """Remember whose money is in the books; Misconfigured for another's once there is any, or a card.

    What creators are owed of pretend money must never be paid with real money.
    """
    with db.reading() as tx:
        kept = tx.get(Setting, _KEPT)
        used = any(
            tx.exec(select(table).limit(1)).first() is not None for table in (Posting, Charge, Counterpart, Card)
        )
    before = kept.value if kept is not None else "sandbox"
    if before == mode and kept is not None:
        return
    if before != mode and used:
        raise Misconfigured(
            f"the books of this database are about money of {_ABOUT[before]}, and payments are {_ABOUT[mode]} now; use"
            " a fresh hub.data_dir and database, or set money.payments and stripe.secret_key back"
        )
    with db.transaction() as tx:
        tx.merge(Setting(name=_KEPT, value=mode))


_ABOUT = {
    "sandbox": "the sandbox (pretend)",
    "stripe test": "Stripe's test mode (pretend)",
    "stripe": "Stripe (real)",
}
