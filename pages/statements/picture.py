"""The picture of a patron's month: where the money went, as bars that a phone shows legibly."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw

from connectors.speaking import Picture
from core.money import Currency, show
from core.months.shares import ShareLine
from core.months.statements import PatronStatement
from core.periods import month_name, month_start
from pages.statements.letters import fitted, font, spelt, width

WIDTH = 720
"""Pixels: twice a narrow phone's width."""

MOST = 8
"""Creators with a bar of their own; the rest share one."""

_EDGE = 40
_BIG, _NAME, _SMALL = 44, 30, 22
_ROW = 98
_COLOURS = 64
_GROUND, _INK, _SOFT, _LINE = "#ffffff", "#22241f", "#62675c", "#e2ded3"
_BRAND, _REST, _FEE, _COST = "#2f7d4f", "#8fb89d", "#9a9588", "#6d695f"
_WAIT, _WAIT_WASH = "#8a5a00", "#fbefd5"

STATES = {
    "due": "to be charged",
    "collected": "charged",
    "lapsed": "not collected: you owe nothing",
    "void": "not charged",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: a part of the charge."""

    name: str
    about: str
    micros: int
    colour: str


def picture_of(found: PatronStatement, *, money: Currency, titles: Mapping[str, str], pretend: bool) -> Picture:
    """The picture with its name and its words, as a message carries it."""
    return Picture(
        name=f"statement-{month_name(found.month)}.png",
        content=draw(found, money=money, titles=titles, pretend=pretend),
        alt=alt(found, money=money, titles=titles),
    )


def draw(found: PatronStatement, *, money: Currency, titles: Mapping[str, str], pretend: bool) -> bytes:
    """The picture as PNG; the same bytes for the same statement. ``titles``: what networks are called."""
    rows = bars(found, titles)
    top = 236 if pretend else 176
    height = top + _ROW * len(rows) + 150
    image = Image.new("RGB", (WIDTH, height), _GROUND)
    pen = ImageDraw.Draw(image)
    if pretend:
        pen.rectangle((0, 0, WIDTH, 60), fill=_WAIT_WASH)
        words = "PRETEND MONEY: nobody paid anything"
        pen.text(((WIDTH - width(words, _NAME)) / 2, 12), words, font=font(_NAME), fill=_WAIT)
    head = top - 176
    _line(pen, head + 36, f"{month_start(found.month):%B %Y}", show(found.charge_micros, money), _BIG, _INK)
    likes = f"{len(found.shares)} {'like' if len(found.shares) == 1 else 'likes'}"
    _line(pen, head + 100, f"Where your money went: {likes}", STATES.get(found.state, found.state), _SMALL, _SOFT)
    pen.line((_EDGE, top - 28, WIDTH - _EDGE, top - 28), fill=_LINE, width=2)
    longest = max((row.micros for row in rows), default=0) or 1
    for place, row in enumerate(rows):
        _row(pen, top + place * _ROW, row, longest, money)
    end = top + len(rows) * _ROW
    pen.line((_EDGE, end, WIDTH - _EDGE, end), fill=_LINE, width=2)
    _line(pen, end + 22, "All together", show(found.charge_micros, money), _NAME, _INK)
    below = f"of a budget of {show(found.budget_micros, money)}"
    if found.given_back_micros:
        below = f"{show(found.given_back_micros, money)} of it went back to you"
    _line(pen, end + 72, below, "Flattr Hub", _SMALL, _SOFT)
    file = io.BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def bars(found: PatronStatement, titles: Mapping[str, str]) -> list[Bar]:
    """The rows of the picture, the most money first, then what is not for creators; they add up to the charge."""
    by_creator: dict[int, list[ShareLine]] = {}
    for share in found.shares:
        by_creator.setdefault(share.creator_id, []).append(share)
    ranked = sorted(by_creator.values(), key=lambda shares: (-sum(each.micros for each in shares), shares[0].flattr_id))
    own, rest = (ranked, []) if len(ranked) <= MOST + 1 else (ranked[:MOST], ranked[MOST:])
    rows = [
        Bar(_name(shares[0], titles), _about(shares, titles), sum(each.micros for each in shares), _BRAND)
        for shares in own
    ]
    if rest:
        shares = [share for one in rest for share in one]
        rows.append(Bar(f"{len(rest)} more creators", _likes(len(shares)), sum(each.micros for each in shares), _REST))
    if found.charge_micros:
        rows.append(Bar("The hub's fee", "", found.fee_micros, _FEE))
    if found.cost_micros:
        rows.append(Bar("The card's cost", "", found.cost_micros, _COST))
    return rows


def alt(found: PatronStatement, *, money: Currency, titles: Mapping[str, str]) -> str:
    """The same in words."""
    parts = ", ".join(f"{row.name[:60]} {show(row.micros, money)}" for row in bars(found, titles))
    where = f": {parts}" if parts else ""
    return f"Where the {show(found.charge_micros, money)} of {month_start(found.month):%B %Y} went{where}."


def _name(share: ShareLine, titles: Mapping[str, str]) -> str:
    network = titles.get(share.network, share.network)
    return spelt(share.creator, share.creator_account, f"somebody on {network}") or "somebody"


def _about(shares: list[ShareLine], titles: Mapping[str, str]) -> str:
    networks = sorted({spelt(titles.get(each.network, each.network), each.network) for each in shares} - {""})
    return " · ".join((_likes(len(shares)), *networks))


def _likes(number: int) -> str:
    return f"{number} {'like' if number == 1 else 'likes'}"


def _line(pen: ImageDraw.ImageDraw, y: float, left: str, right: str, size: int, colour: str) -> None:
    edge = WIDTH - _EDGE - width(right, size)
    pen.text((edge, y), right, font=font(size), fill=colour)
    pen.text((_EDGE, y), fitted(left, size, edge - _EDGE - 20), font=font(size), fill=colour)


def _row(pen: ImageDraw.ImageDraw, y: int, row: Bar, longest: int, money: Currency) -> None:
    amount = show(row.micros, money)
    edge = WIDTH - _EDGE - width(amount, _NAME)
    pen.text((edge, y), amount, font=font(_NAME), fill=_INK)
    name = fitted(row.name, _NAME, edge - _EDGE - 20)
    pen.text((_EDGE, y), name, font=font(_NAME), fill=_INK)
    begin = _EDGE + width(name, _NAME) + 14
    if row.about and begin + 60 < edge - 20:
        pen.text((begin, y + 7), fitted(row.about, _SMALL, edge - 20 - begin), font=font(_SMALL), fill=_SOFT)
    whole = WIDTH - 2 * _EDGE
    pen.rounded_rectangle((_EDGE, y + 44, _EDGE + whole, y + 70), 8, fill=_LINE)
    length = max(16, row.micros * whole // longest) if row.micros else 0
    if length:
        pen.rounded_rectangle((_EDGE, y + 44, _EDGE + length, y + 70), 8, fill=row.colour)
