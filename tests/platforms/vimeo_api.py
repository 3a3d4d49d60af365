"""A small Vimeo on loopback: sign-in, likes, videos and members, stateful, and misbehaving on request.

Built from Vimeo's published API description, a recorded item of /me/likes and its documentation; see the fact sheet
of the platform. What it is told to do wrong next is in `faults`: one for each of the following requests to the API.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.platforms.misbehaving import Passing
from tests.platforms.signing_in import Lent, SignsIn

FAULTS = (
    "401",
    "403",
    "404",
    "429",
    "500",
    "503 html",
    "200 html",
    "cut",
    "an object",
    "an error under 200",
    "a list",
    "no entries",
    "shortened",
    "without its end",
    "wrong page",
    "reordered",
    "entries without ids",
    "empty",
)
"""What can go wrong with an answer; the later ones change lists only."""

BEGAN = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Video:
    number: str
    owner: str | None
    name: str
    made: datetime
    view: str = "anybody"
    hash: str = ""
    link: str = ""
    tags: tuple[str, ...] = ()
    removed: bool = False
    nulls: bool = False
    """All that may be null is."""


@dataclass
class User:
    number: str
    name: str
    likes: dict[str, datetime] = field(default_factory=dict)


class FakeVimeo(SignsIn):
    """The API under the same address as the sign-in, as at Vimeo."""

    token_path = "/oauth/access_token"
    basic = True
    scopes = ("public", "private", "purchased", "create", "edit", "delete", "interact", "upload")

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(clock=clock or Passing().clock)
        self.users: dict[str, User] = {}
        self.videos: dict[str, Video] = {}
        self.faults: deque[str] = deque()
        self.before: dict[int, Callable[[], None]] = {}
        """What to do before the n-th answer of the API (from 1): somebody acts meanwhile."""
        self.asked: list[str] = []
        """Every question's path, with the page for lists."""
        self.order: Callable[[Video, datetime], Any] = lambda _, liked: -liked.timestamp()
        """How likes are listed: the latest first, unless a test says otherwise."""
        self.withheld: set[str] = set()
        """Videos that are counted in lists and not shown."""
        self.unlisted: set[str] = set()
        """Videos that lists leave out by a fault of Vimeo's, liked as they are."""
        self.limit: int | None = None
        """Requests a minute for each member; None: as many as come."""
        self.application_token = ""
        self.spent: dict[tuple[str, int], int] = {}
        """Requests by member and minute."""

    @property
    def settings(self) -> dict[str, str]:
        return {"api": self.base}

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_post("/oauth/authorize/client", self._application)
        app.router.add_get("/me/likes", self._likes)
        app.router.add_get("/me/likes/{video}", self._like)
        app.router.add_get("/videos", self._search)
        app.router.add_get("/videos/{video}", self._video)
        app.router.add_get("/users/{user}", self._user)
        app.router.add_delete("/tokens", self._end)

    # The state

    def user(self, number: str, name: str = "") -> User:
        return self.users.setdefault(number, User(number, name or f"user{number}"))

    def content(self, number: str, owner: str | None, name: str = "A film", **more: Any) -> Video:
        made = more.pop("made", BEGAN + timedelta(hours=len(self.videos)))
        self.videos[number] = Video(number, owner, name, made, **more)
        return self.videos[number]

    def like(self, user: str, video: str, at: datetime) -> None:
        self.users[user].likes[video] = at

    def unlike(self, user: str, video: str) -> None:
        self.users[user].likes.pop(video, None)

    def remove(self, video: str) -> None:
        self.videos[video].removed = True

    def knows(self, user: str) -> bool:
        return user in self.users

    def token_answer(self, lent: Lent) -> dict[str, Any]:
        return {"user": self._person(lent.user), "app": {"name": "Flattr Hub", "uri": "/apps/1"}}

    # What the API says

    async def _application(self, request: web.Request) -> web.StreamResponse:
        given = await request.post()
        pair = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return _error(401, "You must provide a valid client ID", 8001)
        if given.get("grant_type") != "client_credentials" or given.get("scope") != "public":
            return _error(400, "grant_type and scope are wanted", 2204)
        self.application_token = f"application-{len(self.heard)}"
        return _answer({"access_token": self.application_token, "token_type": "bearer", "scope": "public"})

    async def _likes(self, request: web.Request) -> web.StreamResponse:
        page, per_page = int(request.query.get("page", 1)), int(request.query.get("per_page", 25))

        def found(user: str | None) -> Any:
            if user is None:
                return None
            assert per_page <= 100
            assert request.query["sort"] == "date"
            assert "fields" in request.query
            likes = self.users[user].likes
            listed = sorted(
                (each for each in likes if each not in self.unlisted and self._sees(each, user)),
                key=lambda each: (self.order(self.videos[each], likes[each]), each),
            )
            begin, end, pages = (page - 1) * per_page, page * per_page, max(1, -(-len(listed) // per_page))
            if page > pages:
                return None
            return {
                "total": len(listed),
                "page": page,
                "per_page": per_page,
                "paging": {
                    "next": f"/me/likes?page={page + 1}" if end < len(listed) else None,
                    "previous": f"/me/likes?page={page - 1}" if page > 1 else None,
                    "first": "/me/likes?page=1",
                    "last": f"/me/likes?page={pages}",
                },
                "data": [self._told(each, user) for each in listed[begin:end] if each not in self.withheld],
            }

        return await self._said(request, found, f"?page={page}")

    async def _like(self, request: web.Request) -> web.StreamResponse:
        video = request.match_info["video"]

        def found(user: str | None) -> Any:
            return {} if user and video in self.users[user].likes and self._sees(video, user) else None

        return await self._said(request, found, none=204)

    async def _video(self, request: web.Request) -> web.StreamResponse:
        number, _, hashed = request.match_info["video"].partition(":")

        def found(user: str | None) -> Any:
            video = self.videos.get(number)
            if video is None or not self._sees(number, user) or (user is None and hashed != video.hash):
                return None
            return self._told(number, user)

        return await self._said(request, found)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        def found(user: str | None) -> Any:
            links = request.query["links"].split(",")
            told = [self._told(n, user) for n, each in self.videos.items() if each.link in links and each.link]
            return {"total": len(told), "page": 1, "per_page": 25, "paging": {"next": None}, "data": told}

        return await self._said(request, found)

    async def _user(self, request: web.Request) -> web.StreamResponse:
        named = request.match_info["user"]

        def found(_: str | None) -> Any:
            return next((self._person(n) for n, each in self.users.items() if named in (n, each.name)), None)

        return await self._said(request, found)

    async def _end(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("authorization", "").partition(" ")[2]
        return web.Response(status=204) if self.revoke(token) else _error(401, "Bad token", 8003)

    # How it is said

    def _sees(self, number: str, user: str | None) -> bool:
        video = self.videos[number]
        owned = user is not None and user == video.owner
        return not video.removed and (owned or video.view not in ("nobody", "contacts"))

    def _told(self, number: str, user: str | None) -> dict[str, Any]:
        video = self.videos[number]
        hashed = f":{video.hash}" if video.hash else ""
        at = self.users[user].likes.get(number) if user else None
        like = {
            "uri": f"/users/{user}/likes/{number}",
            "options": ["GET", "PUT", "DELETE"],
            "added": at is not None,
            "added_time": at.astimezone(UTC).isoformat() if at else None,
        }
        told = {
            "uri": f"/videos/{number}{hashed}",
            "name": video.name,
            "link": video.link or f"https://vimeo.com/{number}{hashed.replace(':', '/')}",
            "privacy": {"view": video.view},
            "tags": [{"name": each, "canonical": each.lower().replace(" ", "")} for each in video.tags],
            "categories": [],
            "metadata": {"interactions": {"like": like} if user else {}},
            "user": self._person(video.owner) if video.owner else None,
        }
        if video.nulls:
            told |= dict.fromkeys(("name", "link", "privacy", "tags", "categories", "user"))
        return told

    def _person(self, number: str) -> dict[str, Any]:
        name = self.users[number].name
        return {"uri": f"/users/{number}", "name": name.title(), "link": f"https://vimeo.com/{name}"}

    async def _said(
        self, request: web.Request, found: Callable[[str | None], Any], page: str = "", none: int = 200
    ) -> web.StreamResponse:
        self.asked.append(request.path + page)
        assert request.headers["accept"] == "application/vnd.vimeo.*+json;version=3.4"
        if (act := self.before.pop(len(self.asked), None)) is not None:
            act()
        user = self.user_of(request)
        token = request.headers.get("authorization", "").partition(" ")[2]
        headers = self._counted(user or "")
        fault = self.faults.popleft() if self.faults else ""
        if (user is None and token != self.application_token) or fault == "401":
            return _error(401, "You must provide a valid authenticated access token.", 8003)
        if headers.get("X-RateLimit-Remaining") == "-1":
            return _error(429, "Too many API requests.", 9000, headers | {"X-RateLimit-Remaining": "0"})
        value = found(user)
        spoiled = _spoiled(fault, value)
        if spoiled is not None:
            if fault == "cut":
                return await _cut(request, value)
            return spoiled
        if value is None:
            return _error(404, "The requested resource couldn't be found.", 5000, headers)
        if none == 204:
            return web.Response(status=204, headers=headers)
        return _answer(_changed(fault, value), headers=headers)

    def _counted(self, user: str) -> dict[str, str]:
        """Vimeo's headers about the member's minute."""
        if self.limit is None:
            return {}
        minute = int(self.clock().timestamp()) // 60
        self.spent[user, minute] = spent = self.spent.get((user, minute), 0) + 1
        resets = datetime.fromtimestamp((minute + 1) * 60, UTC)
        return {
            "Date": f"{self.clock():%a, %d %b %Y %H:%M:%S} GMT",
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(-1, self.limit - spent)),
            "X-RateLimit-Reset": resets.isoformat(),
        }


def _spoiled(fault: str, value: Any) -> web.Response | None:
    """An answer that is none."""
    match fault:
        case "403":
            return _error(403, "You do not have permission to see this.", 3200)
        case "404":
            return _error(404, "The requested resource couldn't be found.", 5000)
        case "429":
            return _error(429, "Too many API requests.", 9000, {"Retry-After": "90"})
        case "500":
            return _error(500, "Something strange occurred.", 4000)
        case "503 html":
            return web.Response(status=503, text="<h1>Be right back</h1>", content_type="text/html")
        case "200 html":
            return web.Response(text="<h1>Vimeo</h1>", content_type="text/html")
        case "cut":
            return web.Response()
        case "an error under 200":
            return _answer({"error": "Something strange occurred.", "error_code": 4000})
        case "a list":
            return _answer([value])
    return None


def _changed(fault: str, value: Any) -> Any:
    """A list that is not what it should be; everything else as it is."""
    if not isinstance(value, dict) or "data" not in value:
        return value
    data = list(value["data"])
    match fault:
        case "an object":
            return value | {"data": {str(number): each for number, each in enumerate(data)}}
        case "no entries":
            return {name: each for name, each in value.items() if name != "data"}
        case "shortened":
            return value | {"data": data[: len(data) // 2]}
        case "without its end":
            return value | {"data": data, "paging": value["paging"] | {"next": None}}
        case "wrong page":
            return value | {"page": value["page"] + 1}
        case "reordered":
            return value | {"data": data[::-1]}
        case "entries without ids":
            return value | {"data": [each | {"uri": None} for each in data]}
        case "empty":
            return value | {"data": []}
    return value


async def _cut(request: web.Request, value: Any) -> web.StreamResponse:
    """The connection ends in the middle of the answer."""
    response = web.StreamResponse(headers={"content-length": "50000"})
    await response.prepare(request)
    await response.write(json.dumps(value).encode()[:50])
    assert request.transport is not None
    request.transport.close()
    return response


def _answer(value: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=json.dumps(value), content_type="application/vnd.vimeo.video+json", headers=headers)


def _error(status: int, text: str, code: int, headers: dict[str, str] | None = None) -> web.Response:
    """Vimeo's error object."""
    value = {"error": text, "link": None, "developer_message": text, "error_code": code}
    return web.Response(
        status=status, text=json.dumps(value), content_type="application/vnd.vimeo.error+json", headers=headers
    )
