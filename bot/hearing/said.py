"""What a person can have said: one value for each command."""

from __future__ import annotations

from dataclasses import dataclass

from bot.hearing.when import MonthSaid


@dataclass(frozen=True, slots=True)
class Hello:
    """A greeting, or a mention without a word."""


@dataclass(frozen=True, slots=True)
class Thanks:
    """Thanks, or another word that asks for nothing."""


@dataclass(frozen=True, slots=True)
class Help:
    """``topic``: a command's name, or None for all; ``would``: what does it, after a question about it."""

    topic: str | None = None
    would: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Asks for a code, or how to link a ``network``; ``page``: what one receives for there."""

    network: str | None = None
    page: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A link code from another account, in capitals without spaces."""

    code: str


@dataclass(frozen=True, slots=True)
class Yes:
    """Agrees to the open link offer."""


@dataclass(frozen=True, slots=True)
class No:
    """Refuses the open link offer."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Wants to see the linked accounts."""


@dataclass(frozen=True, slots=True)
class Unlink:
    """``which``: a network, or an account as NETWORK:ID."""

    which: str


@dataclass(frozen=True, slots=True)
class ShowBudget:
    """Wants to see the budget."""


@dataclass(frozen=True, slots=True)
class SetBudget:
    """``amount`` as typed, without the words around it; ``now``: for the open month."""

    amount: str
    now: bool = False


@dataclass(frozen=True, slots=True)
class ShowCard:
    """Wants to see the card."""


@dataclass(frozen=True, slots=True)
class ChooseCard:
    """``digits``: the last digits of a pretend card."""

    digits: str


@dataclass(frozen=True, slots=True)
class RemoveCard:
    """Wants no card on file."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the month looks like."""


@dataclass(frozen=True, slots=True)
class List:
    """The likes of a month; None: the one in review, else the open one. Pages count from 1."""

    month: MonthSaid | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class Remove:
    """Strike out by number in the list, or by address; month None: the one in review, else the open one."""

    numbers: tuple[int, ...] = ()
    urls: tuple[str, ...] = ()
    month: MonthSaid | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """Pay nothing for a month; None: the one in review, else the open one."""

    month: MonthSaid | None = None


@dataclass(frozen=True, slots=True)
class Unskip:
    """Take a skip back."""

    month: MonthSaid | None = None


@dataclass(frozen=True, slots=True)
class ShowStatement:
    """A closed month; None: the latest."""

    month: MonthSaid | None = None


@dataclass(frozen=True, slots=True)
class Flattr:
    """Like an address; ``bare``: nothing but the address was sent."""

    url: str
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Subscribe:
    """``target``: an address or NETWORK:ID; ``until``: the last month that gets a share."""

    target: str
    until: MonthSaid | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """``target``: an address or NETWORK:ID."""

    target: str


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Wants to see the subscriptions."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Everywhere, or on one ``network``."""

    network: str | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Everywhere, or on one ``network``."""

    network: str | None = None


@dataclass(frozen=True, slots=True)
class ShowIgnored:
    """Wants to see who is ignored."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """``target``: an address or NETWORK:ID."""

    target: str


@dataclass(frozen=True, slots=True)
class Unignore:
    """``target``: an address or NETWORK:ID."""

    target: str


@dataclass(frozen=True, slots=True)
class ShowCaps:
    """Wants to see the caps."""


@dataclass(frozen=True, slots=True)
class SetCap:
    """``per``: like, creator or both; ``amount`` as typed, None: no cap."""

    per: str
    amount: str | None


@dataclass(frozen=True, slots=True)
class ShowCover:
    """Wants to know who bears the card's cost."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Whether to bear the card's cost."""

    on: bool


@dataclass(frozen=True, slots=True)
class ShowEarnings:
    """What a creator has received and will."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Wants to receive."""


@dataclass(frozen=True, slots=True)
class Payouts:
    """Wants to say where the money goes, or to know whether it can be sent; claims, too."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Wants no money; ``sure``: said with its yes."""

    sure: bool = False


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Takes a decline back."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Wants to leave; ``sure``: said with its yes."""

    sure: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """Wants everything that is known."""


@dataclass(frozen=True, slots=True)
class Misread:
    """A known command whose argument makes no sense; ``why`` is a sentence, ``instead`` what to send."""

    name: str
    why: str
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that the bot knows; ``instead``: whole messages that may have been meant."""

    instead: tuple[str, ...] = ()


Reading = (
    Hello | Thanks | Help | Accounts | ShowBudget | ShowCard | Status | List | ShowStatement | Subscriptions
    | ShowIgnored | ShowCaps | ShowCover | ShowEarnings | Misread | Unknown)  # fmt: skip
"""What changes nothing, and may be answered even if the spelling leaves a doubt."""

Changing = (
    Link | Code | Yes | No | Unlink | SetBudget | ChooseCard | RemoveCard | Remove | Skip | Unskip | Flattr | Export
    | Subscribe | Unsubscribe | Pause | Resume | Ignore | Unignore | SetCap | Cover | Claim | Payouts | Decline
    | TakeBack | Stop)  # fmt: skip
"""What changes something (or hands out everything): never guessed."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A misspelt reading command: ``said`` was read as ``meant``."""

    said: str
    meant: str
    command: Reading


Command = Reading | Changing | Guess
