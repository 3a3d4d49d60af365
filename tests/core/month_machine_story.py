"""One month's end with everything that can become of money, as a list of scenes: what the hub does, what others do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import select

from core.months import payouts
from core.months.tables import Payout, Statement
from core.payments.states import Redirect
from core.people import budgets
from core.periods import month_end, month_of, month_start
from core.returns import refunds
from tests.core.month_machine import World
from tests.platforms.stripe import cards, trouble

PATRONS = {
    "payer": cards.PAYS,
    "second": cards.answering("insufficient_funds", "pays"),
    "asked": cards.AUTHENTICATES,
    "thief": cards.LOST,
    "unheard": cards.PAYS,
    "leaver": cards.INSUFFICIENT,
    "sorry": cards.PAYS,
    "angry": cards.PAYS,
    "warned": cards.PAYS,
}
CREATORS = ("maker", "poet")
LIKES = {name: (("maker", "poet"), ("poet",), ("maker",))[number % 3] for number, name in enumerate(PATRONS)}


@dataclass(frozen=True)
class Scene:
    """``hub``: it is the hub's own work, at every step of which it may be killed; then it does the same again."""

    name: str
    play: Callable[[World], object]
    hub: bool = False


def person(world: World, name: str) -> int:
    return world.scene.person(name)


def statement(world: World, name: str) -> int:
    with world.db.reading() as tx:
        patron = person(world, name)
        return tx.exec(select(Statement.id).where(Statement.patron_id == patron).order_by(Statement.id)).first() or 0


def intent(world: World, name: str) -> str:
    found = world.stripe.intent_of(statement(world, name))
    assert found is not None
    return str(found["id"])


def begin(world: World) -> None:
    """Everybody has budgets and likes; nobody has a card yet."""
    for name in (*PATRONS, *CREATORS):
        person(world, name)
    for name in CREATORS:
        world.claim(person(world, name))
    for number, name in enumerate(PATRONS):
        with world.db.transaction() as tx:
            micros = (10_000_000, 3_330_000, 20_000_000)[number % 3]
            budgets.set_budget(tx, world.rules, person_id=person(world, name), amount_micros=micros, at=world.now())
        for author in LIKES[name]:
            for thing in range(1 + number % 3):
                world.scene.like(name, f"{name}-{thing}-{author}", author, at=world.now())


def enter_cards(world: World) -> None:
    """Some close the browser too early: of theirs only the event tells."""
    for number, (name, card) in enumerate(PATRONS.items()):
        if name != "payer":
            world.enter_card(person(world, name), card, comes_back=number % 2 > 0)


def first_card(world: World) -> None:
    """A patron goes to Stripe and back; killed meanwhile, they do it again."""
    world.enter_card(person(world, "payer"), PATRONS["payer"])


def onboard(world: World) -> None:
    world.onboard(person(world, "maker"))


def onboard_other(world: World) -> None:
    world.onboard(person(world, "poet"), comes_back=False)


def hear(world: World) -> None:
    world.hear()


def month_ends(world: World) -> None:
    world.later(seconds=(month_end(month_of(world.at)) + world.rules.grace - world.at).total_seconds())


def review_ends(world: World) -> None:
    world.later(seconds=world.rules.review.total_seconds())
    world.stripe.trouble(trouble.LOSE_ANSWER, "/confirm")


def later(**step: float) -> Callable[[World], None]:
    def pass_(world: World) -> None:
        world.later(**step)

    return pass_


def payday(world: World) -> None:
    start = month_start(month_of(world.at) + (world.at.day >= world.rules.payout_day))
    world.later(seconds=(start + timedelta(days=world.rules.payout_day - 1) - world.at).total_seconds())
    world.later(hours=1)


def confirm(world: World) -> None:
    """The patron presses the button, and whatever happens to the hub, presses it until their bank has heard them."""
    way = world.confirm(statement(world, "asked"))
    if isinstance(way, Redirect):
        world.at_the_bank(way, passes=True)


def gives_up(world: World) -> None:
    world.leave(person(world, "leaver"))


def new_card(world: World) -> None:
    """The old one is forgotten at Stripe."""
    world.enter_card(person(world, "second"), cards.PAYS_MASTERCARD)


def money_goes_back(world: World) -> None:
    with world.db.transaction() as tx:
        micros = 1_230_000
        number = statement(world, "sorry")
        refunds.ask(tx, world.rules, statement_id=number, amount_micros=micros, reason="operator", at=world.now())
    world.stripe.refund_by_operator(intent(world, "second"), 111)
    world.stripe.dispute(intent(world, "angry"))
    world.stripe.dispute(intent(world, "payer"), amount=300)
    world.stripe.warning(intent(world, "warned"))
    world.stripe.top_up(20_000)  # the disputes cost more than there is


def some_comes_again(world: World) -> None:
    (dispute,) = [each for each in world.stripe.all("dispute") if each["payment_intent"] == intent(world, "angry")]
    world.stripe.dispute_won(dispute["id"])
    (refund,) = [each for each in world.stripe.all("refund") if each["payment_intent"] == intent(world, "second")]
    world.stripe.refund_fails(refund["id"])


def poet_is_restricted(world: World) -> None:
    """Without the hub's knowing yet."""
    world.stripe.restrict(world.account_of("poet") or "")


def poet_is_well(world: World) -> None:
    world.stripe.activate(world.account_of("poet") or "")
    with world.db.reading() as tx:
        sent = tx.exec(select(Payout).where(Payout.state == "sent").order_by(Payout.id)).first()
    assert sent is not None
    assert sent.reference is not None
    world.stripe.bank_payout(world.account_of("maker") or "", 1, fails="account_closed")
    world.stripe.transfer_reversed(sent.reference, 42)


def reverse(world: World) -> None:
    """The operator takes the rest of that payout back."""
    with world.db.reading() as tx:
        payout = tx.exec(select(Payout.id).where(Payout.creator_id == person(world, "maker"))).first()
    payouts.reverse(world.db, world.rules, world.gateway, payout or 0, world.now())


ROUND = (Scene("errands", World.run_errands, hub=True), Scene("advance", World.advance, hub=True))
HEARD = (Scene("hear", hear), *ROUND)
RECONCILED = Scene("reconcile", World.reconcile, hub=True)

STORY = (
    Scene("begin", begin),
    Scene("first card", first_card, hub=True),
    Scene("onboard", onboard, hub=True),
    Scene("others onboard", onboard_other),
    Scene("others enter cards", enter_cards),
    *HEARD,
    Scene("month ends", month_ends),
    *ROUND,
    Scene("review ends", review_ends),
    *ROUND,
    *HEARD,
    Scene("confirm", confirm, hub=True),
    *HEARD,
    Scene("a day", later(hours=25)),
    Scene("leaves", gives_up),
    *ROUND,
    Scene("new card", new_card, hub=True),
    *HEARD,
    Scene("money goes back", money_goes_back),
    *HEARD,
    Scene("hours", later(hours=3)),
    RECONCILED,
    Scene("some comes again", some_comes_again),
    *HEARD,
    Scene("payday", payday),  # the money of a patron's first months waits for the next one
    *ROUND,
    Scene("restricted", poet_is_restricted),
    Scene("next payday", payday),
    *ROUND,
    Scene("well again", poet_is_well),
    *HEARD,
    Scene("reverse", reverse, hub=True),
    Scene("last payday", payday),
    *HEARD,
    Scene("hours", later(hours=7)),
    *HEARD,
    Scene("hours", later(hours=7)),
    *HEARD,
    RECONCILED,
)
