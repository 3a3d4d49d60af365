"""A small GitHub on loopback: the public questions that the hub asks, stateful, and misbehaving on request.

Built from GitHub's REST documentation and its published payloads; see the fact sheet of the platform. What it
is told to do wrong next is in `faults`: one for each of the following requests, until there are none left.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from connectors.client import Client

FAULTS = (
    "500",
    "502",
    "429",
    "403 secondary",
    "403 primary",
    "403",
    "truncated",
    "cut off",
    "not json",
    "an object",
    "empty list",
    "no items",
    "reordered",
    "other media type",
)
"""What can go wrong with an answer; the later ones change lists only."""


class Time:
    """The client's waiting, without any: what sleeps only moves the time on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def ticks(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def client(time: Time) -> Client:
    """The hub's real client, which does not wait."""
    return Client(
        clock=lambda: datetime.now(UTC),
        hub="https://hub.example",
        sleep=time.sleep,
        ticks=time.ticks,
        chance=lambda: 0.5,
    )


@dataclass
class Repository:
    number: int
    owner: int
    name: str
    private: bool = False


@dataclass
class FakeGitHub:
    """Started by `start`; tests change the state and read `asked`."""

    base: str = ""
    users: dict[int, str] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    stars: dict[int, dict[int, datetime]] = field(default_factory=dict)
    """User to repository to when it was starred."""
    private: set[int] = field(default_factory=set)
    """Users whose profile is private."""
    shows_private: bool = False
    """As to a token whose owner may see private repositories."""
    moved: dict[str, int] = field(default_factory=dict)
    """Addresses that repositories had before, as OWNER/NAME."""
    faults: deque[str] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    """Every question's path, with the page for lists."""
    tokens: list[str | None] = field(default_factory=list)
    before: dict[int, Any] = field(default_factory=dict)
    """What to do before the n-th answer (from 1): somebody acts meanwhile."""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/user/{id}", self._user)
        app.router.add_get("/users/{login}/starred", self._starred)
        app.router.add_get("/repositories/{id}", self._repository_by_id)
        app.router.add_get("/repos/{owner}/{name}", self._repository)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def user(self, number: int, login: str) -> None:
        self.users[number] = login
        self.stars.setdefault(number, {})

    def repository(self, number: int, owner: int, name: str, **more: Any) -> None:
        self.repositories[number] = Repository(number, owner, name, **more)

    def rename(self, number: int, name: str) -> None:
        repository = self.repositories[number]
        self.moved[f"{self.users[repository.owner]}/{repository.name}".lower()] = number
        repository.name = name

    def star(self, user: int, number: int, at: datetime) -> None:
        self.stars[user][number] = at

    def unstar(self, user: int, number: int) -> None:
        self.stars[user].pop(number, None)

    # Answers

    async def _user(self, request: web.Request) -> web.StreamResponse:
        def found() -> Any:
            number = int(request.match_info["id"])
            return self._person(number) if number in self.users else None

        return await self._answer(request, found)

    async def _repository_by_id(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, lambda: self._shown(int(request.match_info["id"])))

    async def _repository(self, request: web.Request) -> web.StreamResponse:
        named = f"{request.match_info['owner']}/{request.match_info['name']}".lower()
        number = next((n for n, each in self.repositories.items() if self._full_name(each).lower() == named), None)
        if number is None and named in self.moved:
            where = f"{self.base}/repositories/{self.moved[named]}"
            return web.json_response({"url": where}, status=301, headers={"location": where})
        return await self._answer(request, lambda: self._shown(number))

    async def _starred(self, request: web.Request) -> web.StreamResponse:
        page, per_page = int(request.query["page"]), int(request.query["per_page"])
        links: dict[str, str] = {}

        def found() -> Any:
            user = next((n for n, login in self.users.items() if login == request.match_info["login"]), None)
            if user is None:
                return None
            mine = {} if user in self.private else self.stars[user]
            newest = sorted(mine.items(), key=lambda star: (star[1], star[0]), reverse=True)
            listed = [(number, at) for number, at in newest if self._shown(number) is not None]
            if page * per_page < len(listed):
                links["link"] = f'<{self.base}{request.path}?page={page + 1}>; rel="next"'
            return [
                {"starred_at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "repo": self._shown(number)}
                for number, at in listed[(page - 1) * per_page : page * per_page]
            ]

        return await self._answer(request, found, links, f"?page={page}")

    def _shown(self, number: int | None) -> dict[str, Any] | None:
        found = self.repositories.get(number or 0)
        if found is None or (found.private and not self.shows_private):
            return None
        return {
            "id": found.number,
            "full_name": self._full_name(found),
            "private": found.private,
            "html_url": f"https://github.com/{self._full_name(found)}",
            "owner": self._person(found.owner),
        }

    def _full_name(self, repository: Repository) -> str:
        return f"{self.users[repository.owner]}/{repository.name}"

    def _person(self, number: int) -> dict[str, Any]:
        return {"login": self.users[number], "id": number, "type": "User"}

    async def _answer(
        self, request: web.Request, found: Any, links: dict[str, str] | None = None, page: str = ""
    ) -> web.StreamResponse:
        self.asked.append(request.path + page)
        self.tokens.append(request.headers.get("authorization"))
        assert request.headers["user-agent"].startswith("flattr-hub")
        if (act := self.before.pop(len(self.asked), None)) is not None:
            act()
        value = found()
        headers = dict(links or {})
        if isinstance(value, list) and request.headers["accept"] != "application/vnd.github.star+json":
            value = [each["repo"] for each in value]
        match self.faults.popleft() if self.faults else None:
            case "500" | "502" as status:
                return web.json_response({"message": "Server Error"}, status=int(status))
            case "429":
                return web.json_response({"message": "slow down"}, status=429, headers={"retry-after": "120"})
            case "403 secondary":
                text = "You have exceeded a secondary rate limit."
                return web.json_response({"message": text}, status=403, headers={"retry-after": "60"})
            case "403 primary":
                spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(_seconds()) + 1800)}
                return web.json_response({"message": "API rate limit exceeded"}, status=403, headers=spent)
            case "403":
                return web.json_response({"message": "You have exceeded a secondary rate limit."}, status=403)
            case "truncated":
                return web.Response(text=json.dumps(value)[:-2], content_type="application/json")
            case "cut off":
                response = web.StreamResponse(headers={"content-length": "5000"})
                await response.prepare(request)
                await response.write(json.dumps(value).encode()[:50])
                assert request.transport is not None
                request.transport.close()
                return response
            case "401":
                return web.json_response({"message": "Bad credentials"}, status=401)
            case "no link":
                headers = {}
            case "an object of another":
                value = {"id": "7", "private": False, "html_url": "https://ghe.example/a/b", "owner": None}
            case "not json":
                return web.Response(text="<h1>Unicorn!</h1>", content_type="text/html")
            case "an object" if isinstance(value, list):
                value = {"message": "This is a list usually"}
            case "empty list" if isinstance(value, list):
                value = []
            case "no items" if isinstance(value, list):
                value, headers = [], {"link": '<https://api.github.com/x>; rel="next"'}
            case "reordered" if isinstance(value, list):
                value = value[::-1]
            case "other media type" if isinstance(value, list):
                value = [each["repo"] for each in value]
        if value is None:
            return web.json_response({"message": "Not Found"}, status=404, headers=headers)
        return web.json_response(value, headers=headers)


def _seconds() -> float:
    return datetime.now(UTC).timestamp()
