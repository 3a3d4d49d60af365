"""What an answer needs to know of networks: which one somebody means, and whether likes count there."""

from __future__ import annotations

from bot.hearing.spelling import nearest_only
from bot.talk import Turn
from bot.wording import listed


def named(turn: Turn, text: str) -> str | None:
    """The platform that somebody means by its id or title (or a half of it, as in Twitter/X), slips forgiven."""
    names = {name.casefold(): name for name in turn.talk.platforms}
    names |= {facts.title.casefold(): name for name, facts in turn.talk.platforms.items()}
    halves = {half: name for title, name in names.items() for half in title.split("/")}
    word = text.casefold()
    if word in halves:
        return halves[word]
    meant = nearest_only(word, names) or nearest_only(word.replace(" ", ""), names)
    return names[meant] if meant else None


def likeless(turn: Turn, platform: str) -> str:
    """What somebody should know of a network on which likes do not count; empty where they do."""
    facts = turn.talk.platforms.get(platform)
    if facts is None or facts.likes:
        return ""
    return f"Likes on {facts.title} do not count on this hub; links to things there that you send me do."


def known(turn: Turn) -> str:
    """All of them, by their titles."""
    return listed(sorted(facts.title for facts in turn.talk.platforms.values()))
