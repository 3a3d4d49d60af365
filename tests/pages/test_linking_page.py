"""The pages of signing in: by hand, by link previews and forgers, and as a whole in a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from connectors.client import Client
from core.access import visits
from core.access.admission import Arrival, Invitation, TurnedAway
from core.database import Database
from core.events import AccountRef
from core.mail.sealing import Seal, new_key
from core.people import linking, persons
from core.rules import Rules
from pages.linking.routes import COOKIE, add_routes
from tests.pages.tabs import complaints_of
from tests.platforms.pool import Pool, PoolConnector, signed
from webhooks.linking import SigningIn

TOKEN = "t" * 43
INVITATION = Invitation(
    platform="pool",
    title="Pool",
    intent="link",
    asked_by="<b>ann</b> on Pond (pond:1033)",
    counts="a splash under a picture",
    expires_at=datetime(2026, 11, 10, 12, 10, tzinfo=UTC),
)


@dataclass
class Service:
    """A sign-in that needs no platform; remembers what it was asked."""

    invitation: Invitation = INVITATION
    departed: list[tuple[str, str]] = field(default_factory=list)
    arrived: list[tuple[str, Mapping[str, str], str]] = field(default_factory=list)
    away: TurnedAway | None = None
    accounts: tuple[tuple[str, str, Any], ...] = (("annie on Pool", "pool:7", "linked"),)
    likes: bool = True

    async def look(self, token: str) -> Invitation | None:
        return self.invitation if token == TOKEN else None

    async def depart(self, token: str, session: str) -> str:
        if self.away:
            raise self.away
        self.departed.append((token, session))
        return "https://pool.example/authorize?state=x"

    async def arrive(self, platform: str, query: Mapping[str, str], session: str) -> Arrival:
        if self.away:
            raise self.away
        self.arrived.append((platform, query, session))
        return Arrival(
            platform="pool",
            title="Pool",
            intent="link",
            asked_on="Pond",
            answer_on="Pond",
            accounts=self.accounts,
            moved=2,
            likes=self.likes,
        )


@dataclass
class Visitor:
    url: str
    service: Service
    session: aiohttp.ClientSession

    async def get(self, path: str, method: str = "GET") -> tuple[aiohttp.ClientResponse, str]:
        async with self.session.request(method, self.url + path, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def press(self, *, token: str | None = None, **headers: str) -> tuple[aiohttp.ClientResponse, str]:
        _, page = await self.get(f"/link/{TOKEN}")
        found = re.search(r'name="token" value="(\w+)"', page)
        assert found
        data = {"token": found[1] if token is None else token}
        given = {"Origin": self.url} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(
            f"{self.url}/link/{TOKEN}", data=data, headers=given, allow_redirects=False
        ) as answer:
            return answer, await answer.text()


async def served(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture(params=["https://hub.example", "http://127.0.0.1"])
async def visitor(request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    service, app = Service(), web.Application()
    add_routes(app, service, address=request.param)
    runner, url = await served(app)
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=url)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Visitor(url, service, session)
    await runner.cleanup()


async def test_the_page_names_who_asked_and_has_one_button(visitor: Visitor) -> None:
    answer, page = await visitor.get(f"/link/{TOKEN}")
    assert answer.status == 200
    assert "&lt;b&gt;ann&lt;/b&gt; on Pond (pond:1033)" in page
    assert page.count("<form") == page.count("<button") == 1
    for words in ("a splash under a picture", "close this page", "12:10 UTC", "in your name"):
        assert words in page
    assert "<script" not in page
    assert " style=" not in page
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_where_likes_do_not_count_the_pages_say_so(visitor: Visitor) -> None:
    visitor.service.invitation = replace(INVITATION, likes=False)
    _, page = await visitor.get(f"/link/{TOKEN}")
    assert "Likes at Pool do not count on this hub" in page
    assert "What you like at Pool" not in page
    visitor.service.likes = False
    _, page = await visitor.get("/link/pool/callback?code=c&state=s")
    assert "Likes there do not count on this hub" in page
    assert "counts from now on" not in page


async def test_a_link_preview_burns_nothing_and_gets_no_cookie_to_come_back_with(visitor: Visitor) -> None:
    for method in ("GET", "HEAD", "GET"):
        answer, _ = await visitor.get(f"/link/{TOKEN}", method)
        assert answer.status == 200
        assert COOKIE not in answer.cookies
    assert visitor.service.departed == []


@pytest.mark.parametrize("path", ["/link/" + "x" * 43, "/link/" + "x" * 43 + "?a=b"])
async def test_an_unknown_address_says_what_to_do(visitor: Visitor, path: str) -> None:
    answer, page = await visitor.get(path)
    assert answer.status == 410
    assert "Ask the bot for a new one" in page


@pytest.mark.parametrize("path", ["/link/short", "/link/" + "x" * 44, "/link/Pool/callback", "/link/"])
async def test_what_is_no_address_is_not_found(visitor: Visitor, path: str) -> None:
    answer, _ = await visitor.get(path)
    assert answer.status == 404


async def test_pressing_leads_to_the_platform_and_binds_the_browser(visitor: Visitor) -> None:
    answer, _ = await visitor.press()
    assert (answer.status, answer.headers["Location"]) == (303, "https://pool.example/authorize?state=x")
    ((token, session),) = visitor.service.departed
    assert token == TOKEN
    cookie = answer.cookies[COOKIE]
    assert (cookie.value, cookie["path"], cookie["samesite"]) == (session, "/link", "Lax")
    assert cookie["httponly"]
    assert bool(cookie["secure"]) is ("https: http:" not in (await policy(visitor)))
    await visitor.press()
    assert visitor.service.departed[1][1] == session


async def policy(visitor: Visitor) -> str:
    answer, _ = await visitor.get(f"/link/{TOKEN}")
    return answer.headers["Content-Security-Policy"]


async def test_the_redirect_is_allowed_by_this_pages_policy_only(visitor: Visitor) -> None:
    assert "form-action 'self' https:" in await policy(visitor)
    answer, _ = await visitor.get("/link/pool/callback?state=x")
    assert "form-action 'self';" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "forged", [{"token": "wrong"}, {"token": ""}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
async def test_a_form_from_elsewhere_is_refused(visitor: Visitor, forged: dict[str, str]) -> None:
    answer, page = await visitor.press(**forged)
    assert answer.status == 403
    assert "<h1>" in page
    assert visitor.service.departed == []


async def test_under_another_name_no_form_is_taken(visitor: Visitor) -> None:
    answer, _ = await visitor.press(Host="evil.example", Origin="http://evil.example")
    assert answer.status == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=nope", b"token=\xff"),
        ("multipart/form-data", b"--"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("text/plain", b"token=x"),
        ("application/x-www-form-urlencoded", b"\xff\x00%"),
    ],
)
async def test_what_is_no_form_is_refused(visitor: Visitor, kind: str, body: bytes) -> None:
    headers = {"Content-Type": kind, "Origin": visitor.url}
    async with visitor.session.post(f"{visitor.url}/link/{TOKEN}", data=body, headers=headers) as answer:
        assert answer.status in (400, 403)
    assert visitor.service.departed == []


async def test_a_strange_cookie_is_none(visitor: Visitor) -> None:
    for strange in ("short", "x" * 44, "\xe4" * 43):
        headers = {"Cookie": f"{COOKIE}={strange}"}
        async with visitor.session.get(f"{visitor.url}/link/pool/callback?state=%ff", headers=headers) as answer:
            assert answer.status == 200
        assert visitor.service.arrived[-1][2] == ""


async def test_a_large_form_is_not_read(visitor: Visitor) -> None:
    async with visitor.session.post(f"{visitor.url}/link/{TOKEN}", data={"token": "x" * 10_000}) as answer:
        assert answer.status == 413


async def test_the_way_back_is_told_with_its_browser(visitor: Visitor) -> None:
    await visitor.press()
    answer, page = await visitor.get("/link/pool/callback?state=s&code=c")
    assert answer.status == 200
    assert visitor.service.arrived == [("pool", {"state": "s", "code": "c"}, visitor.service.departed[0][1])]
    for words in ("annie on Pool", "unlink pool:7", "Pond", "2 older likes"):
        assert words in page
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_asking_for_the_headers_of_a_call_back_uses_nothing_up(visitor: Visitor) -> None:
    answer, _ = await visitor.get("/link/pool/callback?state=s&code=c", "HEAD")
    assert answer.status == 405
    assert visitor.service.arrived == []


@pytest.mark.parametrize("what", ["linked", "known", "asked", "taken"])
async def test_the_page_after_says_what_became_of_it(visitor: Visitor, what: str) -> None:
    visitor.service.accounts = (("<i>x</i> on Pool", "pool:7", what),)
    _, page = await visitor.get("/link/pool/callback?state=s&code=c")
    assert "&lt;i&gt;x&lt;/i&gt; on Pool" in page
    told = {
        "linked": "unlink pool:7",
        "known": "already",
        "asked": "yes</code> to the bot on Pond",
        "taken": "left alone",
    }
    assert told[what] in re.sub(r"\s+", " ", page)


@pytest.mark.parametrize(
    ("away", "status", "words"),
    [
        (TurnedAway("This sign-in was used already."), 400, ["did not work", "used already"]),
        (TurnedAway("You declined at Pool.", status=200, declined=True, again=True), 200, ["All right", "change your"]),
        (TurnedAway("Pool does not answer <now>.", status=503, again=True), 503, ["&lt;now&gt;"]),
    ],
)
async def test_who_is_turned_away_reads_why(visitor: Visitor, away: TurnedAway, status: int, words: list[str]) -> None:
    visitor.service.away = away
    for answer, page in (await visitor.get("/link/pool/callback?state=s"), await visitor.press()):
        assert answer.status == status
        for word in words:
            assert word in page


@pytest.mark.parametrize(("intent", "words"), [("receive", "which pages"), ("bot", "the hub's bot")])
async def test_other_intents_have_words_of_their_own(visitor: Visitor, intent: str, words: str) -> None:
    asked_by = "" if intent == "bot" else INVITATION.asked_by
    visitor.service.invitation = replace(INVITATION, intent=intent, asked_by=asked_by)
    _, page = await visitor.get(f"/link/{TOKEN}")
    assert words in page.replace("&#39;", "'")


async def test_the_static_files_are_served_once_however_many_pages_there_are() -> None:
    async def own(_: web.Request) -> web.Response:
        return web.Response(text="own")

    app = web.Application()
    app.router.add_get("/static/{name}", own)
    add_routes(app, Service(), address="https://hub.example")
    assert [each.canonical for each in app.router.resources()].count("/static/{name}") == 1


# In a browser


@dataclass
class Street:
    """A hub and a platform on two sites (127.0.0.1 and localhost), and the database behind the hub."""

    url: str
    db: Database
    rules: Rules
    pool: Pool

    async def address(self, by: AccountRef, intent: str = "link") -> str:
        def begin() -> str:
            with self.db.transaction() as tx:
                persons.ensure_person(tx, by, datetime.now(UTC))
                return visits.begin(tx, by=by, platform="pool", intent=intent, at=datetime.now(UTC))

        return f"{self.url}/link/{await asyncio.to_thread(begin)}"

    async def owner(self, ref: AccountRef) -> int | None:
        def read() -> int | None:
            with self.db.reading() as tx:
                person = persons.person_of(tx, ref)
                return person.id if person else None

        return await asyncio.to_thread(read)


@pytest.fixture
async def street(sqlite_db: Database, rules: Rules) -> AsyncIterator[Street]:
    def clock() -> datetime:
        return datetime.now(UTC)

    app = web.Application()
    # The application has to know its address before it is made, and a route cannot be added once it runs.
    service = _Later()
    runner: web.AppRunner
    async with Pool(clock=clock) as pool, Client(clock=clock, hub="hub") as client:
        pool.users["7"] = "annie"
        pool.pages["7"] = ["p1"]
        at = signed(PoolConnector(), pool, client, clock)
        site = pool.base.replace("127.0.0.1", "localhost")
        at = replace(at, asker=replace(at.asker, settings={**pool.settings, "site": site}))
        add_routes(app, service, address="http://127.0.0.1")
        runner, url = await served(app)
        pool.callbacks.add(f"{url}/link/pool/callback")
        service.signing = SigningIn(
            db=sqlite_db,
            seal=Seal([new_key()]),
            rules=rules,
            platforms={"pool": at},
            titles={"pool": "Pool", "pond": "Pond"},
            clock=clock,
            address=url,
        )
        yield Street(url, sqlite_db, rules, pool)
        await runner.cleanup()


class _Later:
    """The service, once the hub's address is known."""

    signing: SigningIn

    async def look(self, token: str) -> Invitation | None:
        return await self.signing.look(token)

    async def depart(self, token: str, session: str) -> str:
        return await self.signing.depart(token, session)

    async def arrive(self, platform: str, query: Mapping[str, str], session: str) -> Arrival:
        return await self.signing.arrive(platform, query, session)


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Page]:
    """A page whose every complaint (errors, what the policy refuses) fails the test."""
    page = await browser.new_page(viewport={"width": 390, "height": 844})
    complaints = complaints_of(page)
    yield page
    # What the platform's own page lacks (a favicon) is not the hub's.
    assert [each for each in complaints if "404" not in each and "favicon" not in each] == []


ANN = AccountRef(platform="pond", account_id="1033", handle="ann")
POOL7 = AccountRef(platform="pool", account_id="7")


async def test_a_whole_sign_in_by_hand(street: Street, tab: Page) -> None:
    await tab.goto(await street.address(ANN))
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Link your Pool account?")
    await expect(tab.locator("main")).to_contain_text("ann on Pond (pond:1033)")
    assert await tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    await tab.get_by_role("button", name="Sign in at Pool").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Let the hub in?")
    assert "localhost" in tab.url
    await tab.get_by_label("User").fill("7")
    await tab.get_by_role("button", name="Agree").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Linked")
    await expect(tab.locator("main")).to_contain_text("unlink pool:7")
    assert await street.owner(POOL7) == await street.owner(ANN)


async def test_no_then_yes_with_the_same_address(street: Street, tab: Page) -> None:
    address = await street.address(ANN)
    await tab.goto(address)
    await tab.get_by_role("button", name="Sign in at Pool").press("Enter")
    await tab.get_by_role("button", name="Decline").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("All right")
    assert await street.owner(POOL7) is None
    await tab.goto(address)
    await tab.get_by_role("button", name="Sign in at Pool").click()
    await tab.get_by_label("User").fill("7")
    await tab.get_by_role("button", name="Agree").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Linked")


async def test_another_persons_account_is_asked_about_in_the_browser(street: Street, tab: Page) -> None:
    def bens() -> None:
        at = datetime.now(UTC)
        with street.db.transaction() as tx:
            ben = persons.ensure_person(tx, AccountRef(platform="pond", account_id="ben"), at)
            linking.bind(tx, POOL7, person_id=persons.key(ben), since=at, actor="test", at=at)

    await asyncio.to_thread(bens)
    await tab.goto(await street.address(ANN, "receive"))
    await tab.get_by_role("button", name="Sign in at Pool").click()
    await tab.get_by_label("User").fill("7")
    await tab.get_by_role("button", name="Agree").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Linked")  # the page that is nobody's
    await expect(tab.locator("main")).to_contain_text("belongs to another person")
    assert await street.owner(POOL7) != await street.owner(ANN)


async def test_a_call_back_in_another_browser_links_nothing(street: Street, tab: Page, browser: Browser) -> None:
    await tab.goto(await street.address(ANN))
    await tab.get_by_role("button", name="Sign in at Pool").click()
    back = await street.pool.consent(tab.url.replace("localhost", "127.0.0.1"), "7")
    thief = await (await browser.new_context()).new_page()
    await thief.goto(back)
    await expect(thief.locator("main")).to_contain_text("another browser")
    assert await street.owner(POOL7) is None
