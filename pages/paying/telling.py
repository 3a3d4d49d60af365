"""What the pages around paying say: before somebody goes to the processor, and once they are back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core import countries
from core.charges.unpaid import Unpaid
from core.money import show
from core.people.tables import Card
from core.periods import month_start
from core.recipients import needs, onboarding
from core.recipients.tables import Recipient
from core.rules import Rules

Door = Literal["card", "payouts", "pay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What somebody reads before they go; nothing has happened by then."""

    door: Door
    asked_by: str
    good_until: datetime
    card: str = ""
    """The card on file."""
    what: str = ""
    """What is to be paid: ``10.00 EUR for November 2026``."""
    why: str = ""
    """Why it was not collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What somebody reads when something has happened, or could not."""

    heading: str
    lines: tuple[str, ...]
    ways: tuple[tuple[Door, str], ...] = ()
    """Buttons: where they lead, and what is on them."""
    status: int = 200


class Closed(Exception):
    """This way is closed; the text is a sentence for the person and says what to do."""

    def __init__(self, reason: str, *, status: int = 410) -> None:
        super().__init__(reason)
        self.status = status


def closed(away: Closed) -> Told:
    """A page for a way that is closed."""
    return Told(heading="That did not work", lines=(str(away), "Nothing was changed."), status=away.status)


def unanswered(there: str, door: Door) -> Told:
    """The processor gave no answer; the browser is inside, so the button goes on."""
    return Told(
        heading=f"{there} does not answer just now",
        lines=("Nothing was changed, and nothing is lost. Wait a moment, then try again.",),
        ways=((door, "Try again"),),
        status=503,
    )


def what(unpaid: Unpaid, rules: Rules) -> str:
    """``10.00 EUR for November 2026``."""
    return f"{show(unpaid.amount_micros, rules.money)} for {month_start(unpaid.month):%B %Y}"


def card_name(card: Card) -> str:
    """``Visa ending in 4242``."""
    return f"{card.brand[:20]} ending in {card.last4}"


# Cards


def card_taken(card: Card, waiting: tuple[str, ...]) -> Told:
    """The card is on file; ``waiting``: what is tried with it."""
    lines = [f"From now on your month is charged to your card {card_name(card)}."]
    lines += [f"{each} could not be collected before; it is tried again with this card." for each in waiting]
    lines.append("To see, replace or remove it, write card to the bot.")
    return Told(heading="Your card is taken", lines=tuple(lines))


def card_of_nowhere(rules: Rules) -> Told:
    """The card's country is not on the operator's list."""
    allowed = f"The operator of this hub takes cards from {countries.listed(rules.countries)} only"
    return Told(
        heading="This card cannot be taken",
        lines=(f"{allowed}, and this card's bank is elsewhere.", "It was not kept, and nothing is charged to it."),
        ways=(("card", "Enter another card"),),
    )


def card_not_taken(reason: str) -> Told:
    """Entering it did not work."""
    why = f"The card was not taken: {reason.strip().rstrip('.')}." if reason else "The card was not taken."
    return Told(heading="That did not work", lines=(why, "Nothing was changed."), ways=(("card", "Try again"),))


def no_card_entered(card: Card | None, *, inside: bool) -> Told:
    """They came back without one, or nobody knows who they are."""
    if not inside:
        return Told(
            heading="You can close this page",
            lines=("If you have entered a card, the bot tells you as soon as it is taken.", _WRITE.format("card")),
        )
    held = f"Your month is charged to your card {card_name(card)}, as before." if card else "You have no card here yet."
    return Told(
        heading="No card was entered", lines=(held, _WRITE.format("card")), ways=(("card", "Go there once more"),)
    )


_WRITE = "Later, write {} to the bot for a new address."


# Payouts


def payouts(row: Recipient | None, rules: Rules, there: str, *, can_pay: bool) -> Told:
    """How far a creator is, as the processor itself says: having come back proves nothing."""
    if can_pay:
        return Told(
            heading="You can be paid",
            lines=("Money can be sent to you now.", "What you get, the bot tells when you write earnings to it."),
        )
    if row is not None and row.needs == onboarding.COUNTRY:
        where = countries.name(row.country) if row.country else "your country"
        allowed = f"The operator of this hub pays creators in {countries.listed(rules.countries)}, and not in {where}."
        rest = "What is liked stays pending and costs nobody anything. The operator can tell you more."
        return Told(heading="You cannot be paid here yet", lines=(allowed, rest))
    wants = needs.in_words(row.needs) if row is not None else ()
    if wants:
        lines = (f"{there} still wants to know:", *(f"\N{BULLET} {each}" for each in wants))
    else:
        lines = (f"{there} has to look at what you told it, which may take some days. The bot tells you the rest.",)
    return Told(
        heading="Not done yet", lines=(*lines, _WRITE.format("payouts")), ways=(("payouts", f"Go on at {there}"),)
    )


def payouts_outside() -> Told:
    """A browser that is not known came back."""
    return Told(
        heading="You can close this page",
        lines=("As soon as money can be sent to you, the bot tells you.", "To go on, write payouts to the bot."),
    )


def payouts_link_too_old(there: str) -> Told:
    """The processor has sent them back for a new link, and then once more."""
    return Told(
        heading=f"{there} wants a new link",
        lines=("The link that led there does not work any more. Nothing is lost.",),
        ways=(("payouts", f"Go on at {there}"),),
    )


# Charges


def paid(which: str) -> Told:
    """It was collected."""
    return Told(
        heading="Paid",
        lines=(f"{which} is collected. Thank you, also in the name of those who made these things.",),
    )


def not_paid(unpaid: Unpaid, rules: Rules) -> Told:
    """The last try came to nothing."""
    reason = f": {unpaid.reason}" if unpaid.reason else ""
    again = f"It is tried again on {unpaid.next_attempt_at:%-d %B %Y}. " if unpaid.next_attempt_at else ""
    return Told(
        heading="Not collected",
        lines=(
            f"{what(unpaid, rules)} could not be collected{reason}.",
            f"{again}After the last try it lapses, and you owe nothing.",
        ),
        ways=(("pay", "Try again"), ("card", "Use another card")),
    )


def no_card(which: str) -> Told:
    """There is nothing to charge it to."""
    return Told(
        heading="There is no card yet",
        lines=(f"{which} cannot be collected without one.",),
        ways=(("card", "Enter a card"),),
    )


def under_way(which: str, *, theirs: bool) -> Told:
    """No final answer yet; ``theirs``: it waits for the patron, who may go on."""
    return Told(
        heading="Not yet",
        lines=(
            f"{which} is under way. As soon as it is known what became of it, the bot tells you.",
            "It is charged once, whatever you press.",
        ),
        ways=(("pay", "Go on"),) if theirs else (),
    )


def not_confirmed(which: str, reason: str) -> Told:
    """They were at their bank's page, and came back without its yes."""
    why = f": {reason.strip().rstrip('.')}" if reason.strip() else ""
    return Told(
        heading="Not confirmed",
        lines=(
            f"{which} was not confirmed, so nothing was charged{why}.",
            "If you leave it so, it is tried again by itself. After the last try it lapses, and you owe nothing.",
        ),
        ways=(("pay", "Try again"), ("card", "Use another card")),
    )


def nothing_to_pay() -> Told:
    """It is settled some other way, or was never theirs."""
    return Told(
        heading="Nothing is asked of you",
        lines=(
            "There is nothing to confirm or to pay any more. What was charged, the bot tells when you write statement.",
        ),
    )


def pay_outside() -> Told:
    """A browser that is not known came back."""
    return Told(
        heading="You can close this page",
        lines=("As soon as it is known what became of the payment, the bot tells you.", _WRITE.format("card")),
    )
