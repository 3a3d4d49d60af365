"""Answers greetings, calls for help and what was not understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.answers import suggesting
from bot.hearing.said import Guess, Hello, Help, Misread, Thanks, Unknown
from bot.hearing.vocabulary import TOPICS, WORDS, Word
from bot.talk import Reply, Turn, reply
from bot.wording import quoted, unreal
from core.money import show

SENT = 100
"""Characters of a message that is offered as a button."""


_AT_A_PROCESSOR: Mapping[str, Word] = {
    "card": replace(
        WORDS["card"],
        usage="card [remove]",
        examples=("card", "card remove"),
        more=WORDS["card"].more.partition(" Where all money is pretend")[0],
    )
}
"""What works otherwise where cards are real: none is chosen by its last digits."""


def _word(turn: Turn, name: str) -> Word:
    hosted = {} if turn.talk.gateway.cards() else _AT_A_PROCESSOR
    return hosted.get(name, WORDS[name])


def introduction(turn: Turn) -> str:
    """What this is, for somebody who comes for the first time: one message."""
    least = show(turn.rules.budget_min_micros, turn.money)
    lines = (
        "I turn your likes into money for the people who made what you like. You set one budget a month and"
        " like things as always; when the month ends, the budget is split evenly over them."
        f" {_fee(turn)} of it keeps the hub going.\n"
        "You see the list before anything is charged, you never pay more than your budget, and a month"
        " without likes costs nothing.\n"
        f'To begin, say "{suggesting.budget(turn)}" (from {least} a month). "link" adds your other networks,'
        ' "claim" lets you receive, "help" shows the rest.'
    )
    return f"{lines}\n{unreal(turn.talk)}" if turn.talk.gateway.pretend else lines


def _fee(turn: Turn) -> str:
    percent, rest = divmod(turn.rules.fee_bp, 100)
    return f"{percent}.{rest:02} %" if rest else f"{percent} %"


def hello(turn: Turn, said: Hello | Thanks) -> Reply:
    """A greeting back; strangers learn what this is."""
    if isinstance(said, Thanks):
        return reply('You are welcome. "status" shows your month.' if turn.person else "You are welcome.")
    if turn.person is None:
        return reply(f"Hello! {introduction(turn)}", buttons=(suggesting.budget(turn), "help"))
    return reply(
        'Hello! "status" shows what your month looks like, "list" your likes, "help" everything else.',
        buttons=("status", "list", "help"),
    )


def help_(turn: Turn, said: Help) -> Reply:
    """All commands in short, or one in full."""
    if said.topic is not None:
        word = _word(turn, said.topic)
        would = said.would if len(said.would) <= SENT else ""
        return reply(
            f'A question changes nothing. To do it, send "{would}" without a question mark.' if would else "",
            f"{word.usage}: {word.about}",
            word.more,
            f"For example: {quoted(word.examples)}.",
            *_also(word.also),
            buttons=(would,) if would else (),
        )
    lines = [] if turn.person else [introduction(turn), ""]
    lines += [f"{topic.title}: {', '.join(word.name for word in topic.words)}" for topic in TOPICS]
    lines.append('"help" with one of these words says more, as in "help budget". Spelling need not be perfect.')
    return Reply("\n".join(lines), reply(buttons=("status", "help budget", "help link")).buttons)


def _also(also: tuple[str, ...]) -> tuple[str, ...]:
    words = tuple(word for word in also if len(word) > 1)
    return (f"The same: {', '.join(words)}.",) if words else ()


def misread(turn: Turn, said: Misread) -> Reply:
    """The command is known, what follows it is not."""
    word = _word(turn, said.name) if said.name in WORDS else None
    usage = f"It goes like this: {quoted(word.examples)}." if word and not said.instead else ""
    instead = f"Perhaps {quoted(said.instead)}?" if said.instead else ""
    return reply(said.why, instead or usage, buttons=said.instead)


def unknown(turn: Turn, said: Unknown) -> Reply:
    """Not understood: what may have been meant, or three things to try."""
    if len(said.instead) == 1:
        return reply(f"Did you mean {quoted(said.instead)}? Then send just that.", buttons=said.instead)
    if said.instead:
        return reply(f"Did you mean {quoted(said.instead)}?", buttons=said.instead)
    if turn.person is None:
        return reply(f"I did not understand that, so here is what I do. {introduction(turn)}", buttons=("help",))
    tries = ("status", suggesting.budget(turn), "help")
    return reply(f"I did not understand that. Try {quoted(tries)}.", buttons=("status", "help"))


def guessed(said: Guess, answer: Reply) -> Reply:
    """The answer to a misspelt question, saying how it was read."""
    return Reply(f'(I read "{said.said}" as "{said.meant}".)\n{answer.text}', answer.buttons)
