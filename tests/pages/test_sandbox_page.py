"""The sandbox's page over HTTP, as a browser without JavaScript sees it, with a whole hub behind it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from itertools import pairwise

import aiohttp
import pytest

from pages.rendering import HEADERS
from pages.sandbox.cast import PLAYERS
from tests.pages.conftest import Stage

JOINED = {each.id for each in PLAYERS if each.platform == "sandbox" and each.joins}


class Visitor:
    """Somebody's browser: keeps cookies, follows redirects, sends forms with the page's token."""

    def __init__(self, stage: Stage, http: aiohttp.ClientSession) -> None:
        self.stage = stage
        self.http = http
        self.text = ""
        self.token = ""

    async def open(self, player: str = "sandbox:ada") -> str:
        async with self.http.get(f"{self.stage.url}/", params={"as": player}) as answer:
            assert answer.status == 200
            return self._read(await answer.text())

    async def send(
        self, form: str, player: str = "sandbox:ada", *, headers: dict[str, str] | None = None, **fields: str
    ) -> int:
        sent = {"token": self.token, "as": player, **fields}
        async with self.http.post(f"{self.stage.url}/sandbox/{form}", data=sent, headers=headers) as answer:
            self._read(await answer.text())
            return answer.status

    async def say(self, text: str, player: str = "sandbox:ada") -> str:
        """Tell the bot something; answers its latest words."""
        assert await self.send("say", player, text=text) == 200
        return re.findall(r'<li class="bot".*?</span>(.*?)</p>', self.text, re.DOTALL)[-1]

    def _read(self, text: str) -> str:
        self.text = text
        if found := re.search(r'name="token" value="([0-9a-f]{64})"', text):
            self.token = found[1]
        return text


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        visitor = Visitor(stage, http)
        await visitor.open()
        yield visitor


def _posts(visitor: Visitor) -> list[str]:
    found = re.findall(r'name="work" value="([^"]+)"', visitor.text)
    return [work for work in found if work.split("/")[0] in JOINED]


async def test_the_worked_example_can_be_played_in_four_steps(visitor: Visitor) -> None:
    assert "35.00 EUR" in await visitor.say("budget 35")
    ten = _posts(visitor)[:10]
    for work in ten:
        assert await visitor.send("like", work=work, liked="1") == 200
    assert visitor.text.count("worth 3.15 EUR now") >= 10
    assert await visitor.send("month") == 200
    assert "10 \N{MULTIPLICATION SIGN} 3.15 + 3.50 fee = 35.00 EUR" in visitor.text
    assert "December 2026</" in visitor.text
    assert re.search(r"income from fees: <strong>3\.50 EUR", visitor.text)
    assert "the books hold" in visitor.text
    assert len(re.findall(r"<code>2026-11-\d+</code>", visitor.text)) == 10
    shares = Counter(work.split("/")[0] for work in ten)
    creator, likes = shares.most_common(1)[0]
    assert await visitor.send("say", f"sandbox:{creator}", text="earnings") == 200
    assert f"{likes * 3.15:.2f} EUR" in visitor.text


async def test_a_like_is_worth_something_once_its_creator_has_joined_and_there_is_a_budget(visitor: Visitor) -> None:
    await visitor.send("like", work="bruno/1", liked="1")
    assert "no budget yet" in visitor.text
    await visitor.say("budget 35")
    await visitor.send("like", work="bruno/2", liked="1")
    await visitor.send("like", work="finn/1", liked="1")
    assert "worth 31.50 EUR now" in visitor.text
    assert "waits until they join" in visitor.text
    await visitor.say("claim", "sandbox:finn")
    await visitor.open()
    assert "waits until they join" not in visitor.text
    assert "worth 15.75 EUR now" in visitor.text
    await visitor.send("like", work="bruno/2", liked="0")
    assert "worth 31.50 EUR now" in visitor.text


async def test_accounts_on_both_networks_become_one_person_by_code(visitor: Visitor) -> None:
    await visitor.say("budget 35")
    code = re.search(r"\b[A-Z]{5}[ -]?[A-Z]{5}\b", await visitor.say("link"))
    assert code is not None
    await visitor.say(code[0], "sandbox2:ada")
    await visitor.open()
    await visitor.say("yes")
    await visitor.send("like", "sandbox2:ada", work="ines/1", liked="1")
    assert "worth 31.50 EUR now" in visitor.text
    assert await visitor.send("month", "sandbox2:ada") == 200
    assert "1 \N{MULTIPLICATION SIGN} 31.50 + 3.50 fee = 35.00 EUR" in visitor.text


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {}),
        ("0" * 64, {}),
        ("\N{SNOWMAN}", {}),
        (None, {"Origin": "https://evil.example"}),
        (None, {"Origin": "null"}),
        (None, {"Origin": "http://["}),
        (None, {"Referer": "https://evil.example/page"}),
        (None, {"Host": "evil.example"}),
        (None, {"Cookie": ""}),
    ],
)
async def test_a_form_that_is_not_ours_does_nothing(
    visitor: Visitor, token: str | None, headers: dict[str, str]
) -> None:
    fields = {} if token is None else {"token": token}
    if "Cookie" in headers:
        visitor.http.cookie_jar.clear()
        headers = {}
    assert await visitor.send("like", headers=headers, work="bruno/1", liked="1", **fields) == 403
    assert visitor.stage.hub.network is not None
    assert all(post.likes == 0 for post in visitor.stage.hub.network.memory.posts("sandbox", "ada"))


async def test_the_page_answers_only_to_the_machines_own_name(visitor: Visitor) -> None:
    async with visitor.http.get(visitor.stage.url, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
        assert "token" not in await answer.text()


async def test_what_people_write_is_shown_and_never_run(visitor: Visitor) -> None:
    hostile = "<script>alert(1)</script> \"'><img src=x>"
    await visitor.send("post", title=hostile, text=hostile)
    await visitor.say(hostile)
    assert "<script>alert" not in visitor.text
    assert "<img" not in visitor.text
    assert visitor.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3


@pytest.mark.parametrize(
    ("form", "fields", "status"),
    [
        ("like", {"work": "bruno/99", "liked": "1"}, 404),
        ("like", {"as": "sandbox:zed", "work": "bruno/1", "liked": "1"}, 400),
        ("remove", {"work": "bruno/1"}, 404),
        ("say", {"text": "  "}, 400),
        ("say", {"text": "x" * 2001}, 400),
        ("say", {}, 400),
        ("post", {"title": "A", "text": ""}, 400),
        ("post", {"title": "A\0", "text": "b"}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    visitor: Visitor, form: str, fields: dict[str, str], status: int
) -> None:
    assert await visitor.send(form, **{"player": fields.get("as", "sandbox:ada"), **fields}) == status
    assert "That was not done" in visitor.text


async def test_every_answer_carries_the_headers_and_the_cookies_are_strict(stage: Stage) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        for method, path in (("GET", "/"), ("GET", "/static/hub.css"), ("GET", "/static/no"), ("POST", "/sandbox/say")):
            async with http.request(method, f"{stage.url}{path}") as answer:
                assert HEADERS.items() <= dict(answer.headers).items(), path
                for cookie in answer.headers.getall("Set-Cookie", ()):
                    assert "HttpOnly" in cookie
                    assert "SameSite=Strict" in cookie


async def test_the_page_can_be_read_by_a_machine_that_reads_aloud(visitor: Visitor) -> None:
    await visitor.say("budget 35")
    await visitor.send("like", work="bruno/1", liked="1")
    await visitor.send("month")
    outline = Outline()
    outline.feed(visitor.text)
    assert outline.language == "en"
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(outline.headings))
    assert outline.fields, "there are fields to label"
    assert outline.fields <= outline.labels
    assert [each for each, times in Counter(outline.ids).items() if times > 1] == []
    assert outline.references <= set(outline.ids)
    assert outline.nameless == []


class Outline(HTMLParser):
    """What assistive technology needs of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.language: str | None = None
        self.headings: list[int] = []
        self.fields: set[str | None] = set()
        self.labels: set[str | None] = set()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.nameless: list[str] = []
        self._button: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "html":
            self.language = found.get("lang")
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag in ("input", "textarea", "select") and found.get("type") != "hidden":
            self.fields.add(found.get("id"))
        if tag == "label":
            self.labels.add(found.get("for"))
        if tag == "svg" and found.get("aria-hidden") != "true" and not found.get("aria-label"):
            self.nameless.append("svg")
        if tag == "button":
            self._button = found.get("aria-label") or ""
        if "id" in found:
            self.ids.append(found["id"] or "")
        self.references |= set((found.get("aria-labelledby") or "").split())
        href = found.get("href") or ""
        if href.startswith("#"):
            self.references.add(href[1:])

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            if not self._button:
                self.nameless.append("button")
            self._button = None


async def test_the_statement_comes_with_its_picture_and_leads_to_its_page(visitor: Visitor) -> None:
    await visitor.say("budget 35")
    for work in _posts(visitor)[:10]:
        await visitor.send("like", work=work, liked="1")
    await visitor.send("month")
    words = await visitor.say("statement")
    shown = re.findall(r'<img class="picture" src="(/sandbox/picture/\d+)" alt="([^"]+)"', visitor.text)
    assert shown
    assert shown[-1][1].startswith("Where the 35.00 EUR of November 2026 went")
    async with visitor.http.get(visitor.stage.url + shown[-1][0]) as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert (await answer.read()).startswith(b"\x89PNG")
    found = re.search(r"/statement/[A-Za-z0-9_-]{43}", words)
    assert found
    async with visitor.http.get(visitor.stage.url + found[0]) as answer:
        page = await answer.text()
    token = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    assert token
    async with visitor.http.post(visitor.stage.url + found[0], data={"token": token[1]}) as answer:
        page = await answer.text()
        assert answer.status == 200
    assert "35.00 EUR" in page
    assert "pretend money" in page
    async with visitor.http.get(visitor.stage.url + "/sandbox/picture/999999") as answer:
        assert answer.status == 404
