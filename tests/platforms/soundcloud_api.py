"""A small SoundCloud on loopback: sign-in, likes, tracks, playlists and people, stateful, misbehaving on request.

Built from SoundCloud's published API description, real answers in its issues, and a real address of a next page; see
the fact sheet of the platform. What it is told to do wrong next is in `faults`: one for each of the following requests
to the API.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.platforms.misbehaving import Passing
from tests.platforms.signing_in import SignsIn

FAULTS = (
    "403",
    "404",
    "429",
    "500",
    "504 text",
    "200 html",
    "cut",
    "an object",
    "a list",
    "an error under 200",
    "shortened",
    "without its end",
    "next page elsewhere",
    "next page itself",
    "reordered",
    "entries without ids",
    "empty",
)
"""What can go wrong with an answer; the later ones change lists only."""

KINDS = {"tracks": "track", "playlists": "playlist"}


@dataclass
class Work:
    """A track or a playlist."""

    kind: str
    number: int
    owner: int | None
    title: str
    permalink: str
    sharing: str = "public"
    access: str = "playable"
    genre: str | None = ""
    tag_list: str = ""

    @property
    def urn(self) -> str:
        return f"soundcloud:{self.kind}:{self.number}"


@dataclass
class Person:
    number: int
    permalink: str
    username: str
    likes: dict[str, datetime] = field(default_factory=dict)
    """Of tracks and playlists, by urn."""
    ghosts: int = 0
    """Likes that are counted and not listed: of what was deleted, as SoundCloud does it."""

    @property
    def urn(self) -> str:
        return f"soundcloud:users:{self.number}"


class FakeSoundCloud(SignsIn):
    """The API under the same address as the sign-in; users are named by urn."""

    authorize_path = "/authorize"
    demands_pkce = True
    refreshes = True
    rotates = True
    lives = timedelta(seconds=3599)
    scopes = ()

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(clock=clock or Passing().clock)
        self.people: dict[str, Person] = {}
        self.works: dict[str, Work] = {}
        self.short: dict[str, str] = {}
        """Short links, and where they lead."""
        self.faults: deque[str] = deque()
        self.before: dict[int, Callable[[], None]] = {}
        """What to do before the n-th answer of the API (from 1): somebody acts meanwhile."""
        self.asked: list[str] = []
        self.wrapped = False
        """Entries come as {"track": {...}}."""
        self.opaque = False
        """The addresses of next pages tell nothing."""
        self.vanished: set[str] = set()
        """Likes that are there, counted, and listed nowhere: SoundCloud has a bad day."""
        self.counts = True
        """Deleted and private works leave the count too."""
        self.app_tokens: list[str] = []

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_get("/me", self._me)
        app.router.add_get("/me/likes/{kind}", self._likes)
        app.router.add_get("/tracks/{urn}", self._work)
        app.router.add_get("/playlists/{urn}", self._work)
        app.router.add_get("/users/{urn}", self._user)
        app.router.add_get("/resolve", self._resolve)
        app.router.add_post("/sign-out", self._sign_out)

    # The state

    def user(self, number: int | str, permalink: str = "", username: str = "") -> Person:
        """By number or urn."""
        number = _number(number)
        person = Person(number, permalink or f"user-{number}", username or permalink or f"User {number}")
        return self.people.setdefault(person.urn, person)

    def content(self, number: int | str, owner: int | str | None, title: str = "A song", **more: Any) -> Work:
        """By number (``kind`` says of what) or urn."""
        kind = str(number).split(":")[1] if isinstance(number, str) else "tracks"
        number, owner = _number(number), None if owner is None else _number(owner)
        given = {"kind": kind, "permalink": f"song-{number}"} | more
        work = Work(number=number, owner=owner, title=title, **given)
        self.works[work.urn] = work
        return work

    def like(self, user: str, urn: str, at: datetime) -> None:
        self.people[user].likes[urn] = at

    def unlike(self, user: str, urn: str) -> None:
        self.people[user].likes.pop(urn, None)

    def remove(self, urn: str) -> None:
        del self.works[urn]

    def knows(self, user: str) -> bool:
        return user in self.people

    # Tokens

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        given = await request.post()
        if given.get("grant_type") != "client_credentials":
            return await super()._exchange(request)
        pair = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return web.json_response({"error": "invalid_client"}, status=401)
        if len(self.app_tokens) >= 50:
            return web.json_response({"error": "rate_limit_exceeded"}, status=429)
        self.app_tokens.append(f"app-{len(self.app_tokens)}")
        return web.json_response({"access_token": self.app_tokens[-1], "expires_in": 3599, "scope": ""})

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        self.revoke(str((await request.json()).get("access_token")))
        return web.json_response({})

    def _lets_in(self, request: web.Request, *, anybody: bool = False) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "OAuth":
            return False
        return self.user_of(request) is not None or (anybody and token in self.app_tokens)

    # What the API says

    async def _me(self, request: web.Request) -> web.StreamResponse:
        if not self._lets_in(request):
            return _error(401)
        user = self.people[str(self.user_of(request))]
        return await self._answer_to(
            request, lambda: self._person(user) | {"public_favorites_count": self._count(user)}
        )

    def _count(self, user: Person) -> int:
        if not self.counts:
            return len(user.likes) + user.ghosts
        there = [each for each in user.likes if each in self.works and self.works[each].sharing == "public"]
        return len(there) + user.ghosts

    async def _likes(self, request: web.Request) -> web.StreamResponse:
        if not self._lets_in(request):
            return _error(401)
        kind, query = request.match_info["kind"], request.query
        limit = int(query.get("limit") or query.get("page_size") or 50)
        if kind not in KINDS or query.get("linked_partitioning") != "true" or limit > 200:
            return _error(400)

        def found() -> Any:
            user = self.people[str(self.user_of(request))]
            likes = [(at, self.works[urn]) for urn, at in user.likes.items() if self._is_listed(urn, kind, query)]
            likes.sort(key=lambda like: (like[0], like[1].number), reverse=True)
            if "cursor" in query:
                after = _Cursor.read(query["cursor"])
                likes = [like for like in likes if (_shown_time(like[0]), like[1].number) < (after.at, after.number)]
            page, rest = likes[:limit], likes[limit:]
            next_href = None
            if rest and page:
                cursor = _Cursor(_shown_time(page[-1][0]), kind, user.number, page[-1][1].number)
                more = {"cursor": cursor.spelled()}
                more |= {"linked_partitioning": "true", "page_size": str(limit), "access": query.get("access", "")}
                if self.opaque:
                    more["cursor"] = base64.urlsafe_b64encode(cursor.spelled().encode()).decode()
                next_href = f"{self.base}{request.path}?{urlencode(more)}"
            entries = [self._shown(work) for _, work in page]
            if self.wrapped:
                entries = [{"created_at": "x", KINDS[kind]: each} for each in entries]
            return {"collection": entries, "next_href": next_href}

        return await self._answer_to(request, found, f"?limit={limit}")

    def _is_listed(self, urn: str, kind: str, query: Any) -> bool:
        work = self.works.get(urn)
        if work is None or work.kind != kind or urn in self.vanished or work.sharing == "private":
            return False
        return work.access in query.get("access", "playable,preview").split(",")

    async def _work(self, request: web.Request) -> web.StreamResponse:
        if not self._lets_in(request, anybody=True):
            return _error(401)
        work = self.works.get(request.match_info["urn"])
        user = self.people.get(str(self.user_of(request)))
        if work is None or work.sharing == "private" or not request.path.startswith(f"/{work.kind}/"):
            return await self._answer_to(request, lambda: None)
        favourite = work.urn in user.likes if user and work.kind == "tracks" else None
        return await self._answer_to(request, lambda: self._shown(work) | {"user_favorite": favourite})

    async def _user(self, request: web.Request) -> web.StreamResponse:
        if not self._lets_in(request, anybody=True):
            return _error(401)
        person = self.people.get(request.match_info["urn"])
        return await self._answer_to(request, lambda: self._person(person) if person else None)

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        if not self._lets_in(request, anybody=True):
            return _error(401)
        url = self.short.get(request.query["url"], request.query["url"])
        found: Work | Person | None = next((each for each in self.works.values() if self._page(each) == url), None)
        found = found or next((each for each in self.people.values() if self._page(each) == url), None)
        if found is None:
            return await self._answer_to(request, lambda: None)
        where = f"{self.base}/{found.urn.split(':')[1]}/{found.urn}"
        self.asked.append(request.path)
        return web.json_response({"status": "302 - Found", "location": where}, status=302, headers={"location": where})

    def _page(self, of: Work | Person) -> str:
        if isinstance(of, Person):
            return f"https://soundcloud.com/{of.permalink}"
        owner = self.people.get(f"soundcloud:users:{of.owner}")
        sets = "sets/" if of.kind == "playlists" else ""
        return f"https://soundcloud.com/{owner.permalink if owner else 'gone'}/{sets}{of.permalink}"

    def _person(self, person: Person) -> dict[str, Any]:
        return {
            "kind": "user",
            "urn": person.urn,
            "permalink": person.permalink,
            "username": person.username,
            "permalink_url": self._page(person),
            "created_at": "2018/01/01 12:08:25 +0000",
        }

    def _shown(self, work: Work) -> dict[str, Any]:
        owner = self.people.get(f"soundcloud:users:{work.owner}")
        return {
            "kind": KINDS[work.kind],
            "urn": work.urn,
            "title": work.title,
            "permalink_url": self._page(work),
            "created_at": "2019/01/15 15:40:49 +0000",
            "sharing": work.sharing,
            "access": work.access,
            "genre": work.genre,
            "tag_list": work.tag_list,
            "user": self._person(owner) if owner else None,
        }

    async def _answer_to(self, request: web.Request, found: Callable[[], Any], page: str = "") -> web.StreamResponse:
        self.asked.append(request.path + page)
        if (act := self.before.pop(len(self.asked), None)) is not None:
            act()
        value = found()
        if value is None:
            return _error(404)
        return self._spoil(self.faults.popleft() if self.faults else "", value, request)

    def _spoil(self, fault: str, value: Any, request: web.Request) -> web.StreamResponse:
        listing = isinstance(value, dict) and "collection" in value
        match fault:
            case "403" | "500" as status:
                return _error(int(status))
            case "404":
                return web.Response(status=404, text="no route", content_type="text/plain")
            case "429":
                return web.json_response({"error": "rate_limit_exceeded"}, status=429, headers={"retry-after": "10"})
            case "504 text":
                return web.Response(status=504, text="upstream request timeout")
            case "200 html":
                return web.Response(text="<h1>Back soon</h1>", content_type="text/html")
            case "cut":
                return web.Response(text=json.dumps(value)[:-3], content_type="application/json")
            case "an object":
                return web.json_response({})
            case "a list":
                return web.json_response([value])
            case "an error under 200":
                return web.json_response({"code": 500, "message": "no", "errors": [{"error_message": "no"}]})
            case "shortened" if listing:
                value["collection"] = value["collection"][: len(value["collection"]) // 2]
            case "without its end" if listing:
                value["collection"] = value["collection"][:-1]
                value["next_href"] = None
            case "next page elsewhere" if listing:
                value["next_href"] = "https://evil.example/me/likes/tracks?cursor=1"
            case "next page itself" if listing:
                value["next_href"] = f"{self.base}{request.rel_url}"
            case "reordered" if listing:
                value["collection"].reverse()
            case "entries without ids" if listing and value["collection"]:
                value["collection"][-1] = {"title": "nothing else"}
            case "empty" if listing:
                value |= {"collection": [], "next_href": None}
        return web.json_response(value)


@dataclass
class _Cursor:
    """The address of a next page: everything before this like."""

    at: str
    kind: str
    user: int
    number: int

    def spelled(self) -> str:
        return f"{self.at},user-{KINDS[self.kind]}-likes,000-{self.user:020}-{self.number:020}"

    @classmethod
    def read(cls, spelled: str) -> _Cursor:
        if "," not in spelled:
            spelled = base64.urlsafe_b64decode(spelled).decode()
        at, kind, rest = spelled.split(",")
        _, user, number = rest.split("-")
        return cls(at, f"{kind.split('-')[1]}s", int(user), int(number))


def _number(named: int | str) -> int:
    return int(str(named).rpartition(":")[2])


def _shown_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _error(status: int) -> web.Response:
    name = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}.get(status, "Server Error")
    said = {"code": status, "message": f"{status} - {name}", "status": f"{status} - {name}", "error": None}
    link = "https://developers.soundcloud.com/docs/api/explorer/open-api"
    return web.json_response(said | {"link": link, "errors": [{"error_message": name}]}, status=status)
