"""The words of the conversation: every command with its other names, an example and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.hearing.filler import SMALL_TALK


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A command as `help` and docs/conversation.md show it; every example is one that the bot understands."""

    name: str
    usage: str
    examples: tuple[str, ...]
    about: str
    more: str = ""
    """What `help NAME` adds."""
    also: tuple[str, ...] = ()
    """Other words that mean the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Commands that belong together."""

    title: str
    words: tuple[Word, ...]


TOPICS = (
    Topic(
        title="Begin",
        words=(
            Word(
                name="help",
                usage="help [COMMAND]",
                examples=("help", "help budget"),
                about="What you can say; with a command: more about that one.",
                also=("?", "commands", "menu", "info", "manual", "usage"),
            ),
            Word(
                name="link",
                usage="link [NETWORK [page] | CODE]",
                examples=("link", "link BCDFGHJKLM", "link github", "link flickr", "link facebook page"),
                about="Make your account on another network yours here too.",
                more="You get a code that works for ten minutes. Send it to me from your other account, then"
                " answer yes here. For a network where I ask for a sign-in you get an address instead; with"
                ' "page", to show which pages there are yours. Only likes from after the linking count.',
                also=("connect",),
            ),
            Word(
                name="yes",
                usage="yes",
                examples=("yes",),
                about="Agree to the linking that I asked you about.",
                also=("y", "yep", "yeah", "yup", "ja", "oui", "confirm", "accept"),
            ),
            Word(
                name="no",
                usage="no",
                examples=("no",),
                about="Refuse it.",
                also=("n", "nope", "nah", "nein", "non", "refuse", "reject", "cancel"),
            ),
            Word(
                name="accounts",
                usage="accounts",
                examples=("accounts",),
                about="The accounts that are linked to you.",
                also=("account", "whoami", "me", "linked"),
            ),
            Word(
                name="unlink",
                usage="unlink NETWORK or unlink NETWORK:ID",
                examples=("unlink github", "unlink github:21031067"),
                about="Take one of your accounts away from here.",
                more="Its likes no longer count from now on.",
                also=("disconnect",),
            ),
        ),
    ),
    Topic(
        title="Your month",
        words=(
            Word(
                name="budget",
                usage="budget [AMOUNT [now]]",
                examples=("budget", "budget 35", "budget 4,50 now", "budget 0"),
                about="Show or set what you give a month, in all.",
                more="It is a hard ceiling: you are never charged more, and nothing in a month without likes."
                ' Your first budget holds at once; a new one from next month, unless you add "now".'
                ' "budget 0" ends it from next month on.',
                also=("pledge",),
            ),
            Word(
                name="card",
                usage="card [remove | LAST DIGITS]",
                examples=("card", "card remove", "card 4242"),
                about="The card that your month is charged to, and where to enter or replace it.",
                more="You get a personal address that works for ten minutes; the card is entered with the payment"
                " processor, never in a chat. If something could not be collected, you confirm or pay it there, too."
                " Where all money is pretend money, you choose a card by its last digits instead.",
                also=("cards", "payment"),
            ),
            Word(
                name="status",
                usage="status",
                examples=("status",),
                about="What each like is worth right now, and what happens next.",
                also=("stat", "state", "worth", "balance", "month"),
            ),
            Word(
                name="list",
                usage="list [MONTH] [page N]",
                examples=("list", "list 2026-10", "list last month", "list page 2"),
                about="Your likes of a month, numbered.",
                also=("likes", "flattrs", "ls"),
            ),
            Word(
                name="remove",
                usage="remove NUMBER... or remove URL [from MONTH]",
                examples=(
                    "remove 3",
                    "remove 2 5 7",
                    "remove 2-4 from november",
                    "remove https://example.org/song",
                ),
                about='Strike likes out of the month, by their numbers in "list".',
                more="While a month is in review, this strikes from that month. A thing that you struck out"
                " stays out until you like it anew.",
                also=("rm", "strike", "drop"),
            ),
            Word(
                name="skip",
                usage="skip [MONTH]",
                examples=("skip", "skip this month"),
                about="Pay nothing this month (while last month is in review: for last month).",
            ),
            Word(
                name="unskip",
                usage="unskip [MONTH]",
                examples=("unskip",),
                about="Take a skip back.",
            ),
            Word(
                name="statement",
                usage="statement [MONTH]",
                examples=("statement", "statement 2026-10", "statement october"),
                about="A month that is closed: every share with its receipt, the fee, the total.",
                also=("statements", "receipt", "receipts", "bill", "invoice"),
            ),
        ),
    ),
    Topic(
        title="What you like",
        words=(
            Word(
                name="flattr",
                usage="flattr URL",
                examples=("flattr https://example.org/song", "https://example.org/song"),
                about="Like anything that has an address. The address alone does, too.",
                also=("tip", "like", "pay", "donate"),
            ),
            Word(
                name="subscribe",
                usage="subscribe URL or NETWORK:ID [until MONTH]",
                examples=("subscribe github:21031067", "subscribe https://example.org/song until 2027-03"),
                about="One share for a creator on the first of every month.",
                also=("sub", "follow"),
            ),
            Word(
                name="unsubscribe",
                usage="unsubscribe URL or NETWORK:ID",
                examples=("unsubscribe github:21031067",),
                about="End a subscription.",
                also=("unsub", "unfollow"),
            ),
            Word(
                name="subscriptions",
                usage="subscriptions",
                examples=("subscriptions",),
                about="Whom you are subscribed to.",
                also=("subs",),
            ),
            Word(
                name="pause",
                usage="pause [NETWORK]",
                examples=("pause", "pause github"),
                about="Let new likes not count, everywhere or on one network.",
            ),
            Word(
                name="resume",
                usage="resume [NETWORK]",
                examples=("resume", "resume github"),
                about="End a pause.",
                also=("unpause", "continue"),
            ),
            Word(
                name="ignore",
                usage="ignore URL or NETWORK:ID",
                examples=("ignore github:21031067", "ignore https://example.org/song", "ignore"),
                about="Never pay a creator, whatever you like; alone: whom you ignore.",
                also=("block", "ignored"),
            ),
            Word(
                name="unignore",
                usage="unignore URL or NETWORK:ID",
                examples=("unignore github:21031067",),
                about="Take an ignore back.",
                also=("unblock",),
            ),
            Word(
                name="cap",
                usage="cap [AMOUNT per like | AMOUNT per creator | off]",
                examples=("cap", "cap 0.50 per like", "cap 5 per creator", "cap off"),
                about="At most so much for one like, or for one creator, in a month.",
                also=("caps", "max"),
            ),
            Word(
                name="cover",
                usage="cover [on | off]",
                examples=("cover", "cover on", "cover off"),
                about="Bear the card's cost yourself, as a line of your statement, within your budget.",
            ),
        ),
    ),
    Topic(
        title="Receiving",
        words=(
            Word(
                name="claim",
                usage="claim",
                examples=("claim",),
                about="Receive what people give for your things. It costs you nothing.",
                also=("receive",),
            ),
            Word(
                name="payouts",
                usage="payouts",
                examples=("payouts", "pay me out", "bank account"),
                about="Say where the money that you receive goes, or see whether it can be sent.",
                more="It claims, too. You get a personal address that works for ten minutes; there the payment"
                " processor asks who you are and for your bank account. I never see either.",
                also=("payout", "bank", "iban", "onboarding"),
            ),
            Word(
                name="earnings",
                usage="earnings",
                examples=("earnings",),
                about="What you have received, what is on its way, what is waiting.",
                also=("earning", "income", "earned", "paid"),
            ),
            Word(
                name="decline",
                usage="decline, decline yes, decline undo",
                examples=("decline", "decline yes", "decline undo"),
                about="Say that you want no money for the things of this account; undo takes it back.",
                more='You need not be a member. I ask before I do it: "decline yes" confirms.',
                also=("optout", "undecline"),
            ),
        ),
    ),
    Topic(
        title="Your data",
        words=(
            Word(
                name="export",
                usage="export",
                examples=("export",),
                about="Everything I know about you.",
                also=("data", "download", "gdpr"),
            ),
            Word(
                name="stop",
                usage="stop, stop yes",
                examples=("stop", "stop yes"),
                about="Leave, and be deleted. I tell you what happens and ask first.",
                also=("quit", "leave", "unregister", "erase"),
            ),
        ),
    ),
)

WORDS: Mapping[str, Word] = {word.name: word for topic in TOPICS for word in topic.words}
NAMES: Mapping[str, str] = {
    **{name: name for name in WORDS},
    **{also: word.name for word in WORDS.values() for also in word.also},
    **SMALL_TALK,
}
"""Every word that begins a message, with the command it means."""
