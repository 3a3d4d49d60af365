"""A small Dailymotion on loopback: sign-in, likes, videos and people of the old API, stateful, misbehaving on request.

Built from real answers of the old API and its documentation; see the fact sheet of the platform. What it is told to do
wrong next is in `faults`: one for each of the following requests to the API.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from tests.platforms.misbehaving import Passing
from tests.platforms.signing_in import SignsIn

FAULTS = (
    "403",
    "404",
    "429",
    "500",
    "503 html",
    "200 html",
    "cut",
    "an object",
    "a list",
    "an error under 200",
    "shortened",
    "without its end",
    "wrong page",
    "reordered",
    "entries without ids",
    "empty",
)
"""What can go wrong with an answer; the later ones change lists only."""

CAP = 1000
FIELDS = {"id", "title", "url", "channel", "tags", "private", "status", "created_time", "explicit"}
FIELDS |= {"owner.id", "owner.username", "owner.screenname", "owner.url", "thumbnail_480_url"}
PERSON = {"id", "username", "screenname", "url"}


@dataclass
class Video:
    id: str
    owner: str | None
    title: str = "A film"
    private: bool = False
    closed: bool = False
    """Nobody but the owner may see anything of it."""
    explicit: bool = False
    status: str = "published"
    channel: str | None = "shortfilms"
    tags: list[str] | None = field(default_factory=list)


@dataclass
class Person:
    id: str
    username: str
    screenname: str
    likes: dict[str, datetime] = field(default_factory=dict)


class FakeDailymotion(SignsIn):
    """The API under the same address as the sign-in."""

    refreshes = True
    lives = timedelta(hours=10)
    scopes = ("userinfo", "email", "manage_likes", "manage_videos")

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(clock=clock or Passing().clock)
        self.people: dict[str, Person] = {}
        self.videos: dict[str, Video] = {}
        self.faults: deque[str] = deque()
        self.before: dict[int, Callable[[], None]] = {}
        """What to do before the n-th answer of the API (from 1): somebody acts meanwhile."""
        self.asked: list[str] = []
        self.order: Callable[[str, datetime], Any] = lambda _, liked: -liked.timestamp()
        """How likes are listed; no documentation says how."""
        self.ghosts = 0
        """Likes that are counted in a total and not shown."""

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"api_key": self.client_id, "api_secret": self.client_secret}

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_get("/me", self._me)
        app.router.add_get("/me/likes", self._likes)
        app.router.add_get("/video/{id}", self._video)
        app.router.add_get("/videos", self._videos)
        app.router.add_get("/user/{id}", self._user)
        app.router.add_get("/logout", self._logout)

    # The state

    def user(self, number: str, username: str = "", screenname: str = "") -> Person:
        name = username or f"name-of-{number}"
        return self.people.setdefault(number, Person(number, name, screenname or name))

    def content(self, number: str, owner: str | None, title: str = "A film", **more: Any) -> Video:
        self.videos[number] = Video(number, owner, title, **more)
        return self.videos[number]

    def like(self, user: str, video: str, at: datetime) -> None:
        self.people[user].likes[video] = at

    def unlike(self, user: str, video: str) -> None:
        self.people[user].likes.pop(video, None)

    def remove(self, video: str) -> None:
        del self.videos[video]

    def knows(self, user: str) -> bool:
        return user in self.people

    def token_answer(self, lent: Any) -> dict[str, Any]:
        return {"uid": lent.user}

    # What the API says

    async def _me(self, request: web.Request) -> web.StreamResponse:
        user = self.user_of(request)
        return self._refusal(request) if user is None else await self._answer_to(request, lambda: self._person(user))

    async def _likes(self, request: web.Request) -> web.StreamResponse:
        user = self.user_of(request)
        if user is None:
            return self._refusal(request)
        page, limit = int(request.query.get("page", 1)), int(request.query.get("limit", 10))
        fields = request.query.get("fields", "id,title").split(",")
        if limit > 100 or not set(fields) <= FIELDS:
            return _error(400, "invalid_parameter", "Unrecognized value")

        def found() -> Any:
            filtered = request.query.get("family_filter", "true") != "false"
            likes = sorted(self.people[user].likes.items(), key=lambda like: (self.order(*like), like[0]))
            there = [self.videos[each] for each, _ in likes if each in self.videos]
            there = [each for each in there if not (each.closed or (filtered and each.explicit))][:CAP]
            shown = there[(page - 1) * limit : page * limit]
            total = min(len(there) + self.ghosts, CAP)
            return {
                "page": page,
                "limit": limit,
                "explicit": not filtered,
                "total": total,
                "has_more": page * limit < total,
                "list": [self._shown(each, fields) for each in shown],
            }

        return await self._answer_to(request, found, f"?page={page}&limit={limit}")

    async def _video(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        fields = request.query.get("fields", "id,title").split(",")
        if request.headers.get("authorization") and self.user_of(request) is None:
            return self._refusal(request)
        if number in self.videos and self.videos[number].closed:
            return _error(403, "access_forbidden", "This video is private")

        def found() -> Any:
            return self._shown(self.videos[number], fields) if number in self.videos else None

        return await self._answer_to(request, found)

    async def _videos(self, request: web.Request) -> web.StreamResponse:
        return await self._answer_to(request, lambda: {"page": 1, "limit": 1, "total": CAP, "list": [{"id": "x6emf"}]})

    async def _user(self, request: web.Request) -> web.StreamResponse:
        asked = request.match_info["id"].lower()
        found = next((each.id for each in self.people.values() if asked in (each.id, each.username.lower())), None)
        return await self._answer_to(request, lambda: self._person(found) if found else None)

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        lent = self.access_of(request)
        if lent is not None:
            self.revoke(lent.access_token)
        return web.json_response([])

    def _person(self, number: str) -> dict[str, Any]:
        person = self.people[number]
        return {
            "id": person.id,
            "username": person.username,
            "screenname": person.screenname,
            "url": f"https://www.dailymotion.com/{person.username}",
        }

    def _shown(self, video: Video, fields: list[str]) -> dict[str, Any]:
        owner = self.people.get(video.owner or "")
        whole = {
            "id": video.id,
            "title": video.title,
            "url": f"https://www.dailymotion.com/video/{video.id}",
            "channel": video.channel,
            "tags": video.tags,
            "private": video.private,
            "status": video.status,
            "owner.id": owner.id if owner else None,
            "owner.username": owner.username if owner else None,
            "owner.screenname": owner.screenname if owner else None,
            "owner.url": f"https://www.dailymotion.com/{owner.username}" if owner else None,
        }
        return {name: whole.get(name) for name in fields}

    async def _answer_to(self, request: web.Request, found: Callable[[], Any], page: str = "") -> web.StreamResponse:
        self.asked.append(request.path + page)
        if (act := self.before.pop(len(self.asked), None)) is not None:
            act()
        value = found()
        if value is None:
            return _error(404, "not_found", f"Can't find object for `{request.path}'")
        return _spoiled(self.faults.popleft() if self.faults else "", value)

    def _refusal(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("authorization", "").partition(" ")[2]
        reason = "expired_token" if any(each.access_token == token for each in self.lent) else "invalid_token"
        answer = _error(401, "invalid_token", "Invalid access token")
        answer.headers["www-authenticate"] = f'Bearer realm="API", error="{reason}"'
        return answer


def _spoiled(fault: str, value: Any) -> web.StreamResponse:
    listing = isinstance(value, dict) and "has_more" in value
    match fault:
        case "403" | "404" | "500" as status:
            return _error(int(status), "access_forbidden" if status == "403" else "internal", "no")
        case "429":
            return web.json_response({"error": {"code": 429}}, status=429, headers={"retry-after": "10"})
        case "503 html":
            return web.Response(status=503, text="<h1>Back soon</h1>", content_type="text/html")
        case "200 html":
            return web.Response(text="<h1>Back soon</h1>", content_type="text/html")
        case "cut":
            return web.Response(text=json.dumps(value)[:-3], content_type="application/json")
        case "an object":
            return web.json_response({})
        case "a list":
            return web.json_response([value])
        case "an error under 200":
            return web.json_response({"error": {"code": 500, "type": "internal_error", "message": "no"}})
        case "shortened" if listing:
            value["list"] = value["list"][: len(value["list"]) // 2]
        case "without its end" if listing:
            value["list"] = value["list"][: max(len(value["list"]) - 1, 0)]
            value["has_more"] = False
        case "wrong page" if listing:
            value["page"] += 1
        case "reordered" if listing:
            value["list"].reverse()
        case "entries without ids" if listing and value["list"]:
            value["list"][-1] = {key: each for key, each in value["list"][-1].items() if key != "id"}
        case "empty" if listing:
            value |= {"total": 0, "has_more": False, "list": []}
    return web.json_response(value)


def _error(status: int, kind: str, message: str) -> web.Response:
    error = {"more_info": "https://developer.dailymotion.com/api#error-codes", "code": status}
    error |= {"message": message, "type": kind, "error_data": {"reason": kind}}
    return web.json_response({"error": error}, status=status)
