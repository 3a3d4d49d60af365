"""Who lives on the pretend networks, and what they have made: the story that a newcomer plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "picture", "song", "software"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A pretend person; one who ``joins`` tells the bot `claim` at the first start, by the usual door."""

    platform: str
    id: str
    name: str
    about: str
    joins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Something that a pretend person has posted; ``art`` names a drawing in templates/art."""

    platform: str
    author: str
    kind: Kind
    title: str
    text: str
    hours: int
    """How long before the first start it was posted."""
    tags: tuple[str, ...] = ()
    art: str = ""


def _square(id: str, name: str, about: str, *, joins: bool = False) -> Player:  # noqa: A002 - the network's word
    return Player(platform="sandbox", id=id, name=name, about=about, joins=joins)


def _harbour(id: str, name: str, about: str, *, joins: bool = False) -> Player:  # noqa: A002 - the network's word
    return Player(platform="sandbox2", id=id, name=name, about=about, joins=joins)


PLAYERS = (
    _square("ada", "Ada", "reads everything, pays gladly"),
    _square("bruno", "Bruno", "bakes bread and writes it down", joins=True),
    _square("chiyo", "Chiyo", "paints small weather", joins=True),
    _square("dario", "Dario", "writes songs for kitchens", joins=True),
    _square("esi", "Esi", "mends free software", joins=True),
    _square("finn", "Finn", "walks a lot"),
    _square("greta", "Greta", "came for the cats"),
    _square("hugo", "Hugo", "photographs doors"),
    _harbour("ada", "Ada", "the same Ada, by the sea"),
    _harbour("ines", "Ines", "maps places that have moved", joins=True),
    _harbour("juno", "Juno", "plays the accordion at night", joins=True),
    _harbour("kofi", "Kofi", "makes tools that do one thing", joins=True),
    _harbour("lena", "Lena", "writes at low tide", joins=True),
    _harbour("moss", "Moss", "draws what grows"),
    _harbour("nia", "Nia", "plays chess by post"),
    _harbour("otto", "Otto", "keeps an old log book"),
)


TONES = {name: tone for tone, name in enumerate(dict.fromkeys(each.name for each in PLAYERS))}
"""Which colour each person has, the same on both networks; the number is a class of hub.css."""

FEE_TONE, COST_TONE = 15, 16


def _on_square(author: str, kind: Kind, hours: int, title: str, text: str, *tags: str, art: str = "") -> Work:
    return Work(platform="sandbox", author=author, kind=kind, title=title, text=text, hours=hours, tags=tags, art=art)


def _on_harbour(author: str, kind: Kind, hours: int, title: str, text: str, *tags: str, art: str = "") -> Work:
    return Work(platform="sandbox2", author=author, kind=kind, title=title, text=text, hours=hours, tags=tags, art=art)


WORKS = (
    _on_square(
        "bruno",
        "text",
        3,
        "The starter that survived three moves",
        "Flour, water, and a jar I forgot in a van for a week. It smelled of apples and forgave me by"
        " morning. Feed yours when you eat yourself; that is the whole secret.",
        "bread",
        "baking",
    ),
    _on_square(
        "chiyo",
        "picture",
        5,
        "Rain, leaving",
        "Watercolour, twenty minutes, one window.",
        "weather",
        art="rain",
    ),
    _on_square(
        "esi",
        "software",
        8,
        "tidyhosts 2.0",
        "Sorts your hosts file, keeps your comments, never touches what it does not understand.",
        "cli",
        "free software",
    ),
    _on_square(
        "dario",
        "song",
        11,
        "Boil, Don't Burn",
        "A waltz for one saucepan. Recorded next to the real one; listen for the lid at 1:12.",
        "waltz",
    ),
    _on_square(
        "finn",
        "text",
        15,
        "Twelve benches, in order of view",
        "Number four looks at a wall, and is the best: somebody has planted beans along it.",
        "walking",
    ),
    _on_square("chiyo", "picture", 20, "First snow over the bakery", "Gouache on a paper bag.", "snow", art="snow"),
    _on_square(
        "bruno",
        "text",
        26,
        "How to hear that a loaf is done",
        "Knock on its belly. A dull answer wants five more minutes; a hollow one wants butter.",
        "bread",
    ),
    _on_square(
        "esi",
        "software",
        30,
        "A patch for everybody's calendar",
        "Week numbers were off by one on leap years since 2009. They are not any more. Eleven lines,"
        " nine of them tests.",
        "bugfix",
    ),
    _on_square("hugo", "picture", 34, "Door no. 212", "Green again. It was blue in spring.", "doors", art="door"),
    _on_square(
        "dario",
        "song",
        40,
        "Song for a Dripping Tap",
        "In four-four, since the tap insists. The plumber is thanked in verse three.",
        "folk",
    ),
    _on_square("chiyo", "picture", 46, "Heat, two o'clock", "Even the sun looked for shade.", "sun", art="sun"),
    _on_square(
        "bruno",
        "text",
        52,
        "Rye for people in a hurry",
        "There is no such rye. But here is one that waits in the fridge until you have stopped hurrying.",
        "rye",
        "recipe",
    ),
    _on_square(
        "esi",
        "software",
        60,
        "quietlog",
        "Log lines that repeat are counted instead of shouted. One file, no dependencies, public domain.",
        "logging",
    ),
    _on_square(
        "dario",
        "song",
        68,
        "The Last Clean Fork",
        "A ballad in which nobody washes up, with a chorus everybody knows by then.",
        "ballad",
    ),
    _on_square(
        "finn",
        "text",
        80,
        "What the map calls a path",
        "A row of stones, a gate without a fence, and a sheep who has the key.",
        "walking",
        "maps",
    ),
    _on_harbour(
        "ines",
        "picture",
        2,
        "The island, 1911 and now",
        "It has moved four hundred metres east and nobody had told the ferry.",
        "maps",
        art="island",
    ),
    _on_harbour(
        "kofi",
        "software",
        6,
        "onewayclip",
        "Copies text from the phone to the desk and never the other way. That is the feature.",
        "tools",
    ),
    _on_harbour(
        "lena",
        "text",
        9,
        "Low tide, 5:40",
        "The harbour takes off its water\nand looks for what it lost:\none boot, two keys,"
        " a daughter's plate,\nblue, not even cracked.",
        "poem",
    ),
    _on_harbour(
        "juno",
        "song",
        13,
        "Foghorn in B flat",
        "The accordion answers; the ship, politely, too.",
        "accordion",
    ),
    _on_harbour("moss", "picture", 18, "Sea holly", "Ink. It drew blood first.", "botany", art="holly"),
    _on_harbour(
        "ines",
        "picture",
        24,
        "All the lighthouses you can see from the roof",
        "Three, on a good night. Two of them blink at each other.",
        "maps",
        "light",
        art="lighthouse",
    ),
    _on_harbour(
        "kofi",
        "software",
        31,
        "tide.sh",
        "Prints when to be back. Nine lines of shell and one table from 1987 that is still right.",
        "shell",
    ),
    _on_harbour(
        "juno",
        "song",
        38,
        "Slow Waltz for a Fast Ferry",
        "Must be played leaning. Best on the upper deck, out of the wind.",
        "accordion",
    ),
    _on_harbour(
        "otto",
        "text",
        45,
        "Log of the Wilhelmine, page 40",
        "Calm. Cook sang. Painted the rail a second time, the first having been inspected by a gull.",
        "log",
    ),
    _on_harbour(
        "lena",
        "text",
        50,
        "Instructions for borrowed umbrellas",
        "Open it away from your host.\nReturn it wetter than it came.\nNever ask it where it has been.",
        "poem",
    ),
    _on_harbour(
        "ines",
        "picture",
        58,
        "Currents, drawn from bottle post",
        "Seventeen letters, one of them answered.",
        "maps",
        art="currents",
    ),
    _on_harbour(
        "kofi",
        "software",
        66,
        "Paper bell",
        "Rings when the printer is really out of paper, and only then.",
        "tools",
    ),
    _on_harbour("juno", "song", 75, "Rope and Bellows", "A shanty that two people can work to.", "shanty"),
    _on_harbour(
        "moss",
        "picture",
        88,
        "Bladder wrack, after rain",
        "Pressed, then drawn, then eaten by a snail.",
        art="wrack",
    ),
)
