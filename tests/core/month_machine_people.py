"""What the machine's people do: patrons and creators, with likes, budgets, cards, claims, and their banks."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlmodel import col, select

from core.months.tables import Statement
from core.payments.states import Redirect
from core.people import budgets, preferences
from core.people.tables import Card
from core.periods import month_end, month_of
from tests.core.month_machine import World, world_in
from tests.core.month_machine_oracle import Oracle
from tests.platforms.stripe import cards

PATRONS = ("ada", "bob", "cy", "dual")
CREATORS = ("maker", "poet", "dual")
WHO = st.integers(0, 3)
WHICH = st.integers(0, 30)
THINGS = 6
CENTS = st.sampled_from((200, 333, 450, 1000, 1999, 3500, 6000))
CARDS = cards.BY_NAME | {
    "SECOND_TIME": cards.answering("insufficient_funds", "pays"),
    "THIRD_TIME": cards.answering("do_not_honor", "processing_error", "pays"),
    "ASKS_ONCE": cards.answering("authentication_required", "pays"),
    "PAYS_ONCE": cards.answering("pays", "lost_card"),
}
PAYING = st.sampled_from(("PAYS", "PAYS_MASTERCARD", "SECOND_TIME"))
ANY_CARD = st.sampled_from(sorted(CARDS))


class People(RuleBasedStateMachine):
    """Every rule is a step: the hub's books and its processor are looked at after each."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="month-machine-")))
        self.world: World = self._stack.enter_context(world_in(folder, self.template))
        self.oracle = Oracle(self.world.rules)
        self.ways: list[Redirect] = []
        """To the bank, not gone to the end yet."""
        self.sound = True

    def teardown(self) -> None:
        with self._stack:
            if self.sound:
                self.finish()

    def finish(self) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def step(self, *, joined: str | None = None) -> Iterator[World]:
        self.sound = False
        yield self.world
        self.observe(joined=joined)
        self.world.check()
        self.sound = True

    def observe(self, *, joined: str | None = None) -> None:
        with self.world.db.reading() as tx:
            self.oracle.observe(tx, self.world.at, joined=joined)

    def work(self) -> None:
        """A round of the hub."""
        self.world.run_errands()
        self.observe()
        self.world.advance()
        self.observe()

    # Beginning

    @initialize(
        budgets=st.lists(CENTS, min_size=3, max_size=3),
        cards_=st.lists(PAYING, min_size=3, max_size=3),
        likes=st.lists(st.tuples(WHO, st.integers(0, 2), st.integers(0, THINGS - 1)), min_size=6, max_size=14),
        months=st.integers(0, 2),
    )
    def begins(self, budgets, cards_, likes, months) -> None:
        """Most have begun already, some a month or two ago: else little would be at stake for long."""
        with self.step():
            for number, (cents, card) in enumerate(zip(budgets, cards_, strict=True)):
                self.set_budget(number, cents, now=True)
                self.enter(number, card, comes_back=True)
            for number in range(2):
                self.world.claim(self.member(CREATORS[number]))
                self.world.onboard(self.member(CREATORS[number]))
                self.observe()
            for _ in range(months):
                for who, creator, thing in likes:
                    self.give(who, creator, thing)
                self.month_passes()
                for who, _, thing in likes:
                    self.take(f"{PATRONS[who]}", thing)
            for who, creator, thing in likes:
                self.give(who, creator, thing)

    def month_passes(self) -> None:
        world = self.world
        world.later(seconds=(month_end(month_of(world.at)) - world.at).total_seconds() + 7200)
        for hours in (0, 49, 240):
            world.later(hours=hours)
            world.hear()
            self.work()

    def member(self, name: str) -> int:
        """Their number; a new one for who comes for the first time, or again."""
        self.world.now()
        person = self.oracle.people[name] = self.world.scene.person(name)
        return person

    # Patrons

    def give(self, who: int, creator: int, thing: int) -> None:
        name, author = PATRONS[who], CREATORS[creator]
        at = self.world.now()
        self.world.scene.like(name, f"{author}-{thing}", author, at=at)
        self.oracle.like(name, f"{author}-{thing}", author, at)

    def take(self, name: str, which: int) -> None:
        mine = sorted(thing for who, thing in self.oracle.likes if who == name)
        if mine:
            thing = mine[which % len(mine)]
            self.world.scene.unlike(name, thing, at=self.world.now())
            self.oracle.unlike(name, thing)

    @rule(who=WHO, likes=st.lists(st.tuples(st.integers(0, 2), st.integers(0, THINGS - 1)), min_size=1, max_size=5))
    def like(self, who, likes) -> None:
        with self.step():
            for creator, thing in likes:
                self.give(who, creator, thing)

    @rule(who=WHO, which=WHICH)
    def unlike(self, who, which) -> None:
        with self.step():
            self.take(PATRONS[who], which)

    def set_budget(self, who: int, cents: int, *, now: bool) -> None:
        person, world = self.member(PATRONS[who]), self.world
        with world.db.transaction() as tx:
            budgets.set_budget(tx, world.rules, person_id=person, amount_micros=cents * 10_000, at=world.now(), now=now)
        self.oracle.budget(person, cents * 10_000, world.at, now=now)

    @rule(who=WHO, cents=st.one_of(CENTS, CENTS, st.just(0)), now=st.booleans())
    def budget(self, who, cents, now) -> None:
        with self.step():
            self.set_budget(who, cents, now=now)

    @rule(who=WHO, cents=st.sampled_from((None, 1, 77, 150)), bears=st.booleans())
    def wish(self, who, cents, bears) -> None:
        """A cap per flattr; whether they bear the card's cost."""
        with self.step() as world:
            person = self.member(PATRONS[who])
            with world.db.transaction() as tx:
                cap = cents and cents * 10_000
                preferences.set_caps(tx, person, per_flattr_micros=cap, per_creator_micros=None)
                preferences.bear_cost(tx, person, agreed=bears)
            self.oracle.wish(person, cap, bears=bears)

    def enter(self, who: int, name: str, *, comes_back: bool, shared: bool = False) -> None:
        card = CARDS[name]
        if not shared:  # else it has the number of somebody else's
            card = replace(card, number=f"{card.number[:-1]}{who}", token="")
        self.world.enter_card(self.member(PATRONS[who]), card, comes_back=comes_back)

    @rule(who=WHO, card=st.one_of(ANY_CARD, PAYING), comes_back=st.booleans(), shared=st.booleans())
    def card(self, who, card, comes_back, shared) -> None:
        with self.step():
            self.enter(who, card, comes_back=comes_back, shared=shared)

    @rule(who=WHO)
    def card_removed(self, who) -> None:
        with self.step() as world:
            world.remove_card(self.member(PATRONS[who]))

    @rule(who=WHO, what=st.one_of(ANY_CARD, st.sampled_from(("renewed", "detached"))))
    def card_changes(self, who, what) -> None:
        """At Stripe: the bank says something else from now on, gives a new date, or the operator detaches it."""
        with self.step() as world:
            with world.db.reading() as tx:
                held = tx.get(Card, self.oracle.people.get(PATRONS[who], 0))
            if held is None or world.stripe.objects[held.reference]["customer"] is None:
                return
            if what == "renewed":
                world.stripe.card_renewed(held.reference)
            elif what == "detached":
                world.stripe.card_detached(held.reference)
            elif held.reference not in world.stripe._hard:
                world.stripe.card_becomes(held.reference, CARDS[what])

    @rule(who=WHO, before=st.booleans())
    def skip(self, who, before) -> None:
        with self.step() as world:
            person, month = self.member(PATRONS[who]), month_of(world.at) - before
            with world.db.transaction() as tx:
                preferences.skip(tx, person, month, world.now())
            self.oracle.skip(person, month)

    @rule(name=st.sampled_from((*PATRONS, *CREATORS)), sure=st.integers(0, 2))
    def stop(self, name, sure) -> None:
        if sure or name not in self.oracle.people:
            return
        with self.step() as world:
            world.leave(self.oracle.people[name])
            self.oracle.leave(name)

    # Their banks

    def owing(self) -> list[int]:
        with self.world.db.reading() as tx:
            due = select(Statement.id).where(Statement.state == "due", col(Statement.attempts) > 0)
            return [each or 0 for each in tx.exec(due.order_by(col(Statement.id)))]

    @precondition(lambda self: self.owing())
    @rule(which=WHICH, passes=st.sampled_from((None, True, False, "later")), comes_back=st.booleans())
    def confirm(self, which, passes, comes_back) -> None:
        with self.step() as world:
            owing = self.owing()
            way = world.confirm(owing[which % len(owing)])
            if isinstance(way, Redirect):
                if passes == "later":
                    self.ways.append(way)
                else:
                    world.at_the_bank(way, passes=passes, comes_back=comes_back)

    @precondition(lambda self: self.ways)
    @rule(which=WHICH, passes=st.sampled_from((None, True, False)), comes_back=st.booleans())
    def confirm_late(self, which, passes, comes_back) -> None:
        with self.step() as world:
            world.at_the_bank(self.ways.pop(which % len(self.ways)), passes=passes, comes_back=comes_back)

    # Creators

    @rule(who=st.integers(0, 2))
    def claim(self, who) -> None:
        with self.step(joined=CREATORS[who]) as world:
            world.claim(self.member(CREATORS[who]))

    @rule(
        who=st.integers(0, 2),
        how=st.sampled_from(("finished", "finished", "finished", "unfinished", "unchecked", "abroad")),
        comes_back=st.booleans(),
    )
    def onboard(self, who, how, comes_back) -> None:
        """`payouts` in a message: who has not claimed yet, claims by it."""
        with self.step() as world:
            world.claim(self.member(CREATORS[who]))
            self.observe(joined=CREATORS[who])
            world.onboard(
                self.member(CREATORS[who]),
                finish=how != "unfinished",
                checked=how != "unchecked",
                comes_back=comes_back,
                country="US" if how == "abroad" else "DE",
            )
