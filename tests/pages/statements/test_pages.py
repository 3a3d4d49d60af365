"""The pages of statements on a real server: one entry per address, one browser per entry, and what is seen there."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlmodel import select

from core.access import visits
from core.books import batches, check_book, month_book, reversals
from core.database import Database
from core.events import Liked, ThingRef
from core.months.tables import Statement
from core.periods import month_name
from core.rules import Rules
from core.tables import Thing
from pages.rendering import HEADERS
from pages.statements.routes import add_routes
from tests.scene import Scene

KEY = b"k" * 32
HOSTILE = '<script>alert(1)</script>=cmd\u202e"x'


@dataclass
class Place:
    """A server with the pages, the world behind it, and a browser."""

    scene: Scene
    url: str
    http: aiohttp.ClientSession
    month: int = 0
    people: dict[str, int] = field(default_factory=dict)

    def token(self, page: str, name: str = "ann", intent: str = "", life: timedelta = visits.LIFE) -> str:
        with self.scene.db.transaction() as tx:
            by = self.scene.account(name)
            return visits.begin(tx, by=by, platform=f"hub:{page}", intent=intent, at=self.scene.at, life=life)

    async def get(self, path: str, **more: Any) -> tuple[aiohttp.ClientResponse, str]:
        async with self.http.get(self.url + path, allow_redirects=False, **more) as answer:
            return answer, (await answer.read()).decode("utf-8", "replace")

    async def raw(self, path: str) -> bytes:
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200
            return await answer.read()

    async def press(self, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, str]:
        """Load the page with the button, and press it."""
        _, page = await self.get(path)
        found = re.search(r'name="token" value="(\w+)"', page)
        given = {"Origin": self.url} | headers
        data = {"token": found[1] if found else "none"}
        async with self.http.post(self.url + path, data=data, headers=given, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def enter(self, page: str, name: str = "ann", intent: str = "") -> str:
        """Go in; the place of the month that is shown first."""
        token = await asyncio.to_thread(self.token, page, name, intent)
        answer, _ = await self.press(f"/{page}/{token}")
        assert (answer.status, answer.headers["Location"]) == (303, f"/{page}")
        answer, _ = await self.get(f"/{page}")
        assert answer.status == 303
        return answer.headers["Location"]


def a_month(scene: Scene) -> tuple[int, dict[str, int]]:
    """Ann gives carol 2 of 3 likes, dave the third; one like is pending; one title is hostile."""
    people = {"ann": scene.patron("ann", 10), "carol": scene.creator("carol"), "dave": scene.creator("dave")}
    thing = ThingRef(platform="pond", native_id="tune", url="https://pond.example/tune", title=HOSTILE)
    scene.record(Liked(by=scene.account("ann"), thing=thing, author=scene.account("carol")))
    scene.like("ann", "song", "carol")
    scene.like("ann", "poem", "dave")
    scene.like("ann", "stray", "stranger")
    month = scene.close_month()
    with scene.db.transaction() as tx:
        for each in tx.exec(select(Thing).where(Thing.url == thing.url)):
            each.title = HOSTILE
        while batches.seal(tx, KEY, scene.rules.money, scene.at):
            pass
    return month, people


@pytest.fixture
async def place(sqlite_db: Database, rules: Rules, at: datetime) -> AsyncIterator[Place]:
    scene = Scene(sqlite_db, rules, at)
    month, people = await asyncio.to_thread(a_month, scene)
    app = web.Application()
    add_routes(
        app,
        db=sqlite_db,
        rules=rules,
        clock=lambda: scene.at,
        address="http://127.0.0.1",
        pretend=True,
        titles={"pond": "Pond"},
        book_key=KEY,
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with browser() as http:
        yield Place(scene, url, http, month, people)
    await runner.cleanup()


def browser() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


# Going in


@pytest.mark.parametrize("page", ["statement", "earnings"])
async def test_looking_at_an_address_uses_nothing_up_however_often_it_is_previewed(place: Place, page: str) -> None:
    token = await asyncio.to_thread(place.token, page)
    for _ in range(3):
        answer, text = await place.get(f"/{page}/{token}")
        assert answer.status == 200
        assert "10.00" not in text
        async with place.http.head(f"{place.url}/{page}/{token}") as head:
            assert head.status == 200
    answer, _ = await place.press(f"/{page}/{token}")
    assert answer.status == 303


async def test_an_address_is_good_once_and_only_the_browser_that_entered_sees_anything(place: Place) -> None:
    token = await asyncio.to_thread(place.token, "statement")
    assert (await place.press(f"/statement/{token}"))[0].status == 303
    assert (await place.get("/statement"))[0].status == 303
    async with browser() as other:
        theirs = Place(place.scene, place.url, other)
        assert (await theirs.get(f"/statement/{token}"))[0].status == 410
        for path in ("/statement", "/statement/2026-11", "/statement/2026-11.csv", "/statement/2026-11.png"):
            answer, text = await theirs.get(path)
            assert answer.status == 403
            assert "write" in text.lower()
            assert "carol" not in text
        answer, _ = await theirs.press(f"/statement/{token}", Origin=place.url)
        assert answer.status in (403, 410)


async def test_the_browser_that_entered_may_look_for_half_an_hour(place: Place) -> None:
    there = await place.enter("statement")
    place.scene.later(minutes=29)
    assert (await place.get(there))[0].status == 200
    place.scene.later(minutes=1)
    answer, text = await place.get(there)
    assert answer.status == 403
    assert "statement" in text


@pytest.mark.parametrize(
    ("life", "minutes", "status"), [(None, 9, 200), (None, 11, 410), (24, 23 * 60, 200), (24, 1441, 410)]
)
async def test_an_address_ends_with_its_life(place: Place, life: int | None, minutes: int, status: int) -> None:
    span = visits.LIFE if life is None else timedelta(hours=life)
    token = await asyncio.to_thread(place.token, "statement", "ann", "", span)
    place.scene.later(minutes=minutes)
    assert (await place.get(f"/statement/{token}"))[0].status == status


async def test_a_form_of_another_site_opens_nothing(place: Place) -> None:
    token = await asyncio.to_thread(place.token, "statement")
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        assert (await place.press(f"/statement/{token}", **headers))[0].status == 403
    async with place.http.post(f"{place.url}/statement/{token}", data={}) as answer:
        assert answer.status == 403
    assert (await place.press(f"/statement/{token}"))[0].status == 303


async def test_an_address_of_one_page_does_not_open_the_other(place: Place) -> None:
    token = await asyncio.to_thread(place.token, "earnings")
    answer, _ = await place.press(f"/statement/{token}")
    assert answer.status in (403, 410)
    assert (await place.press(f"/earnings/{token}"))[0].status == 303
    assert (await place.get("/statement"))[0].status == 403


async def test_the_address_leads_to_the_month_it_was_asked_for(place: Place) -> None:
    assert await place.enter("statement", intent="2026-11") == "/statement/2026-11"
    assert await place.enter("statement", intent="2020-01") == "/statement/2026-11"


async def test_whoever_unlinked_the_account_sees_nothing_more(place: Place) -> None:
    there = await place.enter("statement")

    def unlink() -> None:
        from core.people import persons

        with place.scene.db.transaction() as tx:
            account = persons.account_of(tx, place.scene.account("ann"))
            assert account is not None
            persons.detach(account)

    await asyncio.to_thread(unlink)
    assert (await place.get(there))[0].status == 403


# What is seen


async def test_a_patron_sees_every_like_the_fee_the_sum_and_what_cost_nothing(place: Place) -> None:
    _, page = await place.get(await place.enter("statement"))
    assert page.count('<td class="num">3.00 EUR</td>') == 3
    assert "1.00 EUR" in page
    assert "10.00 EUR" in page
    assert "its creator could not be paid yet" in page
    assert len(set(re.findall(r"<code>(2026-11-\d+)</code>", page))) == 3
    assert "pretend money" in page
    assert 'src="/statement/2026-11.png"' in page
    assert "not sealed yet" not in page


async def test_a_creator_sees_what_was_liked_and_never_by_whom(place: Place) -> None:
    await place.enter("earnings", "carol")
    answer, page = await place.get(f"/earnings/{month_name(place.month)}")
    assert answer.status == 200
    assert page.count("<code>2026-11-") >= 2
    assert "6.00 EUR" in page  # net
    for text in (
        page,
        (await place.raw("/earnings/2026-11.json")).decode(),
        (await place.raw("/earnings/2026-11.csv")).decode(),
    ):
        assert "ann" not in text.replace("cannot", "").replace("channel", "").replace("scanned", "")
        assert f"patron:{place.people['ann']}" not in text


async def test_both_sides_have_the_same_receipt_and_amount(place: Place) -> None:
    await place.enter("statement")
    given = {
        each["receipt"]: each["amount"] for each in json.loads(await place.raw("/statement/2026-11.json"))["flattrs"]
    }
    got = {}
    for name in ("carol", "dave"):
        await place.enter("earnings", name)
        told = json.loads(await place.raw("/earnings/2026-11.json"))
        got |= {each["receipt"]: each["amount"] for each in told["flattrs"]}
    assert given == got


async def test_nothing_that_others_wrote_is_obeyed(place: Place) -> None:
    answer, page = await place.get(await place.enter("statement"))
    assert "<script" not in page
    assert "\u202e" not in page
    assert "style=" not in page
    assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO((await place.raw("/statement/2026-11.csv")).decode(), newline=""))
        if "script" in row["title"]
    ]
    assert row["url"] == "https://pond.example/tune"


async def test_files_come_as_what_they_are(place: Place) -> None:
    await place.enter("statement")
    for path, kind in (
        ("2026-11.csv", "text/csv; charset=utf-8"),
        ("2026-11.json", "application/json; charset=utf-8"),
        ("2026-11.png", "image/png"),
        ("year/2026.csv", "text/csv; charset=utf-8"),
        ("year/2026.json", "application/json; charset=utf-8"),
    ):
        answer, _ = await place.get(f"/statement/{path}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    assert (await place.raw("/statement/2026-11.png")).startswith(b"\x89PNG")


async def test_the_year_sheet_says_what_was_charged_and_earned(place: Place) -> None:
    await place.enter("statement")
    _, page = await place.get("/statement/year/2026")
    assert '2026-12</td><td class="num">1</td><td class="num">10.00</td><td class="num">9.00</td>' in page
    await place.enter("earnings", "carol")
    _, page = await place.get("/earnings/year/2026")
    assert '<td class="num">2</td><td class="num">6.666666</td><td class="num">0.666666</td>' in page


async def test_what_is_not_there_is_said_so(place: Place) -> None:
    await place.enter("statement")
    for path in (
        "2026-10",
        "2026-13",
        "0000-01",
        "2026-11-2",
        "year/1999",
        "year/9999",
        "x",
        "2026-11-2.csv",
        "year/2026.png",
        "year/0000",
    ):
        answer, page = await place.get(f"/statement/{path}")
        assert answer.status == 404, path
        assert "There is" in page


async def test_who_has_earned_nothing_is_told_so(place: Place) -> None:
    token = await asyncio.to_thread(place.token, "earnings", "ann")
    await place.press(f"/earnings/{token}")
    answer, page = await place.get("/earnings")
    assert answer.status == 404
    assert "nothing to show yet" in page


async def test_money_that_went_back_shows_on_the_page(place: Place) -> None:
    def back() -> None:
        with place.scene.db.transaction() as tx:
            statement = tx.exec(select(Statement)).one()
            assert statement.id is not None
            reversals.take_back(
                tx, statement_id=statement.id, amount_micros=10_000_000, source="re_1", at=place.scene.at
            )

    await asyncio.to_thread(back)
    _, page = await place.get(await place.enter("statement"))
    assert page.count("went back to you") == 3
    assert "Went back to you" in page


async def test_every_receipt_of_the_json_is_found_in_the_sealed_book(place: Place, tmp_path: Any, capsys: Any) -> None:
    await place.enter("statement")
    (tmp_path / "statement.json").write_bytes(await place.raw("/statement/2026-11.json"))
    book = await asyncio.to_thread(month_book.export, place.scene.db, place.month + 1, place.scene.rules.money)
    (tmp_path / "book.json").write_text(json.dumps(book))
    assert check_book.main([str(tmp_path / "book.json"), "--statement", str(tmp_path / "statement.json")]) == 0
    assert capsys.readouterr().out.count("FOUND") == 5  # three shares, the fee, the charge
