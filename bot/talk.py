"""What the conversation is made of: what it needs, one turn of it, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from connectors.speaking import Button, Picture
from core.events import AccountRef, ThingRef
from core.money import Currency
from core.months.statements import PatronStatement
from core.payments.gateway import Gateway
from core.people import persons
from core.people.tables import Person
from core.rules import Rules

Resolved = tuple[ThingRef, AccountRef | None]
"""The thing that an address names, and its author's account where the address tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformFacts:
    """What people need to know of a network: its title, and how an account there proves itself."""

    title: str
    speaks: bool
    """People can write to the bot there."""
    linking: bool
    """An account there can be linked by signing in on the hub's page."""
    likes: bool = True
    """What people like there counts; not where the network's terms forbid it and the operator has left it off."""
    pages: bool = False
    """Receiving there takes a sign-in of its own, which shows the hub which pages are one's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What the conversation needs from the hub; the same value for every message."""

    rules: Rules
    gateway: Gateway
    platforms: Mapping[str, PlatformFacts]
    resolve: Callable[[str], Resolved | None]
    address: str = ""
    """The hub's public address, without a last slash: personal addresses begin with it."""
    picture: Callable[[PatronStatement], Picture] | None = None
    """Draws the picture of a month; None: statements come without."""

    def title(self, platform: str) -> str:
        """A network's name for people."""
        facts = self.platforms.get(platform)
        return facts.title if facts else {"web": "the web"}.get(platform, platform)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say, in plain text; every button sends its text as if the person had written it."""

    text: str
    buttons: tuple[Button, ...] = ()
    picture: str | None = None
    """What picture goes with it, as in ``statement:77``; `bot.picturing` makes it when the words are sent."""


def reply(*lines: str, buttons: tuple[str, ...] = ()) -> Reply:
    """A reply of the lines that are not empty; every button is labelled with what it sends."""
    choices = tuple(Button(label=text[:1].upper() + text[1:], text=text) for text in buttons)
    return Reply("\n".join(line for line in lines if line), choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message being answered: in which transaction, from whom, when."""

    tx: Session
    talk: Talk
    by: AccountRef
    at: datetime
    rules: Rules = field(init=False)
    money: Currency = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", self.talk.rules)
        object.__setattr__(self, "money", self.talk.rules.money)

    @property
    def person(self) -> Person | None:
        """Whose account it is; None for a stranger, who stays one by asking."""
        return persons.person_of(self.tx, self.by)

    @property
    def person_id(self) -> int | None:
        """The person's id, if there is a person."""
        person = self.person
        return person.id if person else None

    def member(self) -> int:
        """The person's id; from here on the hub knows this person."""
        return persons.key(persons.ensure_person(self.tx, self.by, self.at))
