"""The picture of a month: always the same bytes, legible, true, and drawn whatever people are called."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from core.money import currency
from core.months.shares import ShareLine
from core.months.statements import PatronStatement
from core.periods import parse_month
from pages.statements.letters import fitted, spelt, width
from pages.statements.picture import MOST, WIDTH, alt, bars, draw, picture_of

EUR = currency("EUR")
TITLES = {"pond": "Pond", "lake": "Озеро"}


def statement(
    names: dict[str, int], *, fee: int = 350_000, cost: int = 0, network: str = "pond", state: str = "collected"
) -> PatronStatement:
    """A month in which every creator named gets so many likes of 0.315."""
    shares = tuple(
        ShareLine(
            receipt=f"2026-11-{place}-{number}",
            flattr_id=100 * place + number,
            liked_at=datetime(2026, 11, 3, tzinfo=UTC),
            network=network,
            url="https://pond.example/song",
            title="A song",
            creator=name,
            creator_account=f"{network}:id-{place}",
            creator_id=place,
            micros=315_000,
            fee_micros=0,
            cost_micros=0,
            state="collected",
            taken_back_micros=0,
            held_for=(),
        )
        for place, (name, likes) in enumerate(names.items(), 1)
        for number in range(likes)
    )
    return PatronStatement(
        id=1,
        month=parse_month("2026-11"),
        state=state,
        budget_micros=35_000_000,
        charge_micros=sum(each.micros for each in shares) + fee + cost,
        cost_micros=cost,
        fee_micros=fee,
        shares=shares,
        pending=(),
        held=(),
        left_out=(),
        given_back_micros=0,
        next_attempt_at=None,
        ends_as=None,
        attempts=0,
        collected_at=None,
    )


def drawn(found: PatronStatement, *, pretend: bool = False) -> bytes:
    return draw(found, money=EUR, titles=TITLES, pretend=pretend)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_the_same_month_is_the_same_bytes() -> None:
    found = statement({"carol": 3, "dave": 1})
    assert drawn(found) == drawn(found)
    assert drawn(found) != drawn(statement({"carol": 1, "dave": 3}))


def test_it_is_a_png_of_a_phone_s_width_on_a_light_ground_and_small_enough_to_send() -> None:
    content = drawn(statement({"carol": 3, "dave": 1}))
    picture = opened(content)
    assert content.startswith(b"\x89PNG")
    assert picture.width == WIDTH
    assert picture.getpixel((2, picture.height - 2)) == (255, 255, 255)
    assert len(content) < 100_000
    assert len(picture.getcolors(maxcolors=100_000) or ()) > 10


def test_pretend_money_says_so_across_the_top_and_real_money_does_not() -> None:
    found = statement({"carol": 3})
    real, pretend = opened(drawn(found)), opened(drawn(found, pretend=True))
    assert pretend.height > real.height
    assert pretend.getpixel((5, 5)) != (255, 255, 255)
    assert real.getpixel((5, 5)) == (255, 255, 255)


def test_bars_have_the_length_of_their_money() -> None:
    rows = bars(statement({"carol": 4, "dave": 1}, fee=0), TITLES)
    assert [(row.name, row.micros) for row in rows] == [
        ("carol", 4 * 315_000),
        ("dave", 315_000),
        ("The hub's fee", 0),
    ]
    picture = opened(drawn(statement({"carol": 4, "dave": 1})))
    lengths = sorted(
        {
            sum(picture.getpixel((x, y)) == (47, 125, 79) for x in range(WIDTH))
            for y in range(picture.height)
            if picture.getpixel((60, y)) == (47, 125, 79)
        }
    )
    assert lengths[-1] == 641
    assert any(abs(length - 641 // 4) <= 2 for length in lengths)


@pytest.mark.parametrize("creators", [1, MOST, MOST + 1, MOST + 2, 40])
def test_the_rows_add_up_to_the_charge_however_many_creators_there_are(creators: int) -> None:
    found = statement({f"creator {number}": number for number in range(1, creators + 1)}, cost=20_000)
    rows = bars(found, TITLES)
    assert sum(row.micros for row in rows) == found.charge_micros
    assert len(rows) <= MOST + 3
    assert opened(drawn(found)).height < 1500
    words = alt(found, money=EUR, titles=TITLES)
    assert "The hub's fee 0.35 EUR" in words
    assert len(words) < 1024


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("carol", "carol"),
        ("Jürgen Łuß", "Jurgen Luss"),
        ("宮崎", "pond:id-1"),
        ("🎸", "pond:id-1"),
        ("اسم", "pond:id-1"),
        ("", "pond:id-1"),
        ("a\u202eb\nc", "ab c"),
    ],
)
def test_a_name_is_spelt_with_the_letters_there_are_or_by_its_account(name: str, shown: str) -> None:
    (row, _) = bars(statement({name: 1}), TITLES)
    assert row.name == shown
    assert drawn(statement({name: 1}))


def test_where_even_the_account_cannot_be_drawn_the_network_stands_for_it() -> None:
    assert spelt("宮", "湖:宮", "somebody on Pond") == "somebody on Pond"
    (row, _) = bars(statement({"宮": 1}, network="lake"), TITLES)
    assert row.about == "1 like · lake"


def test_a_name_of_any_length_leaves_room_for_its_amount() -> None:
    assert width(fitted("w" * 500, 30, 300), 30) <= 300
    assert opened(drawn(statement({"w" * 500: 2}))).width == WIDTH


def test_a_month_without_charge_is_a_picture_too() -> None:
    assert opened(drawn(statement({}, fee=0, state="void"))).width == WIDTH


def test_it_travels_with_its_name_and_its_words() -> None:
    found = statement({"carol": 1})
    made = picture_of(found, money=EUR, titles=TITLES, pretend=False)
    assert made.name == "statement-2026-11.png"
    assert made.alt == "Where the 0.665 EUR of November 2026 went: carol 0.315 EUR, The hub's fee 0.35 EUR."
    assert made.content == drawn(found)
