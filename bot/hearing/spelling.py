"""Makes sense of how people type: invisible marks, odd quotes and spaces, mentions, near misses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Quotes and dashes of every kind, by their code points: they look alike, which is the point.
_QUOTES = str.maketrans(
    dict.fromkeys(map(chr, (0x201C, 0x201D, 0x201E, 0x201F, 0xAB, 0xBB, 0x2033)), '"')
    | dict.fromkeys(map(chr, (0x2018, 0x2019, 0x201A, 0x201B, 0x60, 0xB4, 0x2032)), "'")
)
_DASHES = str.maketrans(dict.fromkeys(map(chr, (*range(0x2010, 0x2016), 0x2212)), "-"))
_URL = re.compile(r"https?://[^\s<>\"“”]+", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"\[[^\[\]]*\]\(\s*(?P<url>https?://[^\s<>]+)\)", re.IGNORECASE)
_MENTION = re.compile(r"^\s*(?:<@[!&]?\w+>|@[\w.\-]+(?:@[\w.\-]+)?)[\s,:;]*")
_EDGES = " \t<.,;:!?…\"'*_~()[]{}|=→>¡¿"
LONGEST = 2_000
"""Characters of a message that are read; what follows cannot be a command."""


def clean(text: str) -> str:
    """The text as it was meant: one line, plain quotes, dashes and spaces.

    The mention of the bot and invisible marks are gone; addresses keep every character.
    """
    text = text[:LONGEST]
    # "Look at [this](https://...)" is how some networks write an address with a title.
    text = _MARKDOWN_LINK.sub(lambda link: f" {link['url']} ", text)
    parts: list[str] = []
    end = 0
    for url in _URL.finditer(text):
        parts += [_plain(text[end : url.start()]), url.group()]
        end = url.end()
    parts.append(_plain(text[end:]))
    line = " ".join("".join(parts).split())
    while mention := _MENTION.match(line):
        line = line[mention.end() :]
    return line.strip()


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES).translate(_DASHES)
    # Format and control marks (zero-width joiners, direction marks) are invisible: nobody meant them.
    kinds = ((mark, unicodedata.category(mark)) for mark in text)
    return "".join(
        " " if kind[0] == "Z" or mark in "\t\n\r\v\f" else mark
        for mark, kind in kinds
        if kind not in ("Cf", "Cs", "Co", "Cn") and (kind != "Cc" or mark in "\t\n\r\v\f")
    )


def words_of(line: str) -> list[str]:
    """The words of a cleaned line without the punctuation around them, in the case they were typed."""
    words = []
    line = re.sub(r"(?<!\S)(#?\d{1,6}) - (?=#?\d)", r"\1-", line)
    for raw in line.split():
        url = url_in(raw)
        # "remove:https://..." are two words; whatever follows an address without a space belongs to it.
        for part in (raw[: raw.index(url)].strip(_EDGES), url) if url else (raw.strip(_EDGES),):
            if part.strip("-/\\"):
                words.append(part)  # noqa: PERF401 - a comprehension of this reads worse
    return words


def url_in(text: str) -> str | None:
    """The first web address in a text, without the punctuation of the sentence around it."""
    found = _URL.search(text)
    if not found:
        return None
    url = found.group()
    while url and url[-1] in ".,;:!?\uff1f'*_~|]}…)":
        if url[-1] == ")" and url.count("(") >= url.count(")"):
            break  # as in .../wiki/Tip_(gratuity)
        url = url[:-1]
    return url if re.match(r"https?://[^/]", url, re.IGNORECASE) else None


def is_url(text: str) -> bool:
    """Whether a word is a web address."""
    return _URL.fullmatch(text) is not None


def distance(one: str, other: str) -> int:
    """How many letters must be changed, added, left out or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def nearest(word: str, known: Iterable[str]) -> list[tuple[int, str]]:
    """The known words that ``word`` may be a slip for, with how far off each is, nearest first.

    Two letters may be wrong in a long word, one in a short one, none in a word of two letters; the beginning
    of a word (three letters or more) stands for it.
    """
    allowed = 0 if len(word) < 3 else 1 if len(word) < 6 else 2
    found = []
    for each in known:
        off = distance(word, each) if abs(len(word) - len(each)) <= allowed and len(each) > 2 else allowed + 1
        if off > allowed and len(word) >= 3 and each.startswith(word):
            off = allowed
        if off <= allowed:
            found.append((off, each))
    return sorted(found)


def nearest_only(word: str, known: Iterable[str]) -> str | None:
    """The one known word that ``word`` is or most likely means; None if there is none or more than one."""
    choices = list(known)
    if word in choices:
        return word
    found = nearest(word, choices)
    best = [each for off, each in found if off == found[0][0]]
    return best[0] if len(best) == 1 else None
