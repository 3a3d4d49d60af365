"""A small GitHub on loopback: the public questions that the hub asks, stateful, and misbehaving on request.

Built from GitHub's REST documentation and its published payloads; see the fact sheet of the platform. What it
is told to do wrong next is in `faults`: one for each of the following requests, until there are none left.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from connectors.client import Client
from tests.platforms.signing_in import Clock, SignsIn

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

GRAPHQL_FAULTS = (
    *FAULTS[:9],
    "timed out",
    "points used up",
    "fewer edges",
    "edges reordered",
    "no edges",
    "other account",
    "null user",
)
"""The same for GraphQL."""


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


class FakeGitHub(SignsIn):
    """Started by `start`; tests change the state and read `asked`.

    Members, likes and content are users, stars and repositories; `secrets` and `settings` are what a hub is given.
    """

    authorize_path = "/login/oauth/authorize"
    token_path = "/login/oauth/access_token"
    scopes = ()
    lives = timedelta(hours=8)
    refreshes = rotates = True

    def __init__(self, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(clock=clock)
        self.app_token = "github_pat_of-the-operator"
        self.users: dict[int, str] = {}
        self.repositories: dict[int, Repository] = {}
        self.stars: dict[int, dict[int, datetime]] = {}
        """User to repository to when it was starred."""
        self.private: set[int] = set()
        """Users whose profile is private."""
        self.shows_private = False
        """As to a token whose owner may see private repositories."""
        self.over_limit: set[int] = set()
        """Users of whose stars GitHub shows only a part."""
        self.unlisted: set[int] = set()
        """Repositories that GraphQL's lists leave out, and out of their count, though the stars stand."""
        self.taken_down: set[int] = set()
        """Repositories that are blocked: listed without a word, and not shown."""
        self.renewed: dict[int, str] = {}
        """Users that GraphQL knows by another id now."""
        self.moved: dict[str, int] = {}
        """Addresses that repositories had before, as OWNER/NAME."""
        self.faults: deque[str] = deque()
        self.asked: list[str] = []
        """Every question's path, with the page for lists."""
        self.tokens: list[str | None] = []
        self.before: dict[int, Any] = {}
        """What to do before the n-th answer (from 1): somebody acts meanwhile."""
        self.points = 5_000
        """Left of the hour's."""
        self.heaviest = 100
        """Accounts in one question that GitHub still carries out in time."""
        self.batches: list[int] = []
        """How many accounts each GraphQL question was about."""
        self.deleted: list[str] = []
        """Tokens that were given back."""

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"webhook_secret": "hook", "token": self.app_token, **super().secrets}

    def knows(self, user: str) -> bool:
        return int(user) in self.users

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_get("/user", self._signed_in)
        app.router.add_get("/user/{id}", self._user)
        app.router.add_get("/users/{login}/starred", self._starred)
        app.router.add_get("/repositories/{id}", self._repository_by_id)
        app.router.add_get("/repos/{owner}/{name}", self._repository)
        app.router.add_get("/rate_limit", self._rate_limit)
        app.router.add_post("/graphql", self._graphql)
        app.router.add_delete("/applications/{client_id}/token", self._token_deleted)

    async def stop(self) -> None:
        await self.close()

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

    content, like, unlike = repository, star, unstar

    def remove(self, number: int) -> None:
        """The repository is deleted, and leaves every list."""
        del self.repositories[number]

    # Answers

    async def _user(self, request: web.Request) -> web.StreamResponse:
        def found() -> Any:
            number = int(request.match_info["id"])
            return self._person(number) if number in self.users else None

        return await self._answer(request, found)

    async def _repository_by_id(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["id"])
        if number in self.taken_down:
            return web.json_response({"message": "Repository access blocked"}, status=451)
        return await self._answer(request, lambda: self._shown(number))

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
            listed = [(number, at) for number, at in newest if self._shown(number) and number not in self.taken_down]
            if page * per_page < len(listed):
                links["link"] = f'<{self.base}{request.path}?page={page + 1}>; rel="next"'
            return [
                {"starred_at": _zulu(at), "repo": self._shown(number)}
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
        return {"login": self.users[number], "id": number, "node_id": self._node(number), "type": "User"}

    def _node(self, number: int) -> str:
        return self.renewed.get(number, f"U_{number}")

    # Signing in

    def _error(self, name: str, status: int) -> web.Response:
        """GitHub says errors under status 200, and some in words of its own."""
        words = {"invalid_client": "incorrect_client_credentials", "invalid_grant": "bad_verification_code"}
        return web.json_response({"error": words.get(name, name), "error_description": "GitHub says no"})

    async def _signed_in(self, request: web.Request) -> web.StreamResponse:
        user = self.user_of(request)
        if user is None:
            return web.json_response({"message": "Requires authentication"}, status=401)
        return await self._answer(request, lambda: self._person(int(user)))

    async def _token_deleted(self, request: web.Request) -> web.StreamResponse:
        if not self._is_basic(request) or request.match_info["client_id"] != self.client_id:
            return web.json_response({"message": "Not Found"}, status=404)
        token = (await request.json())["access_token"]
        if not self.revoke(token):
            return web.json_response({"message": "Validation Failed"}, status=422)
        self.deleted.append(token)
        return web.Response(status=204)

    def _is_basic(self, request: web.Request) -> bool:
        pair = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    async def _rate_limit(self, request: web.Request) -> web.StreamResponse:
        known = request.headers.get("authorization") == f"Bearer {self.app_token}" or self._is_basic(request)
        if not known:
            return web.json_response({"message": "Bad credentials"}, status=401)
        return web.json_response({"resources": {"graphql": {"limit": 5000, "remaining": self.points}}})

    # GraphQL

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        variables = (await request.json())["variables"]
        ids, first, after = variables["ids"], variables["first"], variables["after"]
        self.batches.append(len(ids))
        headers = {"x-ratelimit-remaining": str(self.points), "x-ratelimit-reset": str(int(_seconds()) + 1800)}
        if request.headers.get("authorization") != f"Bearer {self.app_token}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        if self.points < 1:
            said = {"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}
            return web.json_response({"errors": [said]}, headers=headers)
        self.points -= max(1, round(len(ids) * (1 + first) / 100))
        if len(ids) > self.heaviest:
            return web.Response(status=502, text="<h1>Unicorn!</h1>", content_type="text/html")
        match self.faults[0] if self.faults else None:
            case "timed out":
                self.faults.popleft()
                self.asked.append("/graphql")
                said = {"message": "Something went wrong while executing your query. It may be a timeout."}
                return web.json_response({"errors": [said]}, headers=headers)
            case "points used up":
                self.faults.popleft()
                self.asked.append("/graphql")
                said = {"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}
                return web.json_response({"errors": [said]}, headers={**headers, "x-ratelimit-remaining": "0"})
            case "fewer edges" | "edges reordered" | "no edges" | "other account" | "null user" as fault:
                self.faults.popleft()
            case _:
                fault = ""

        def found() -> Any:
            nodes: list[Any] = []
            errors: list[Any] = []
            numbers = {self._node(number): number for number in self.users}
            for place, node in enumerate(ids):
                number = numbers.get(node)
                if number is None or fault == "null user":
                    said = f"Could not resolve to a node with the global id of '{node}'."
                    errors.append({"type": "NOT_FOUND", "path": ["nodes", place], "message": said})
                    nodes.append(None)
                else:
                    nodes.append(self._stars_of(number, first, after, fault))
            answer: dict[str, Any] = {"data": {"nodes": nodes, "rateLimit": {"cost": 1, "remaining": self.points}}}
            return answer | ({"errors": errors} if errors else {})

        return await self._answer(request, found, headers)

    def _stars_of(self, number: int, first: int, after: str | None, fault: str) -> dict[str, Any]:
        mine = {} if number in self.private else self.stars[number]
        listed = {each: at for each, at in mine.items() if self._shown(each) and each not in self.unlisted}
        newest = sorted(((at, each) for each, at in listed.items()), reverse=True)
        place = (0.0, 0) if after is None else json.loads(base64.b64decode(after))
        rest = [star for star in newest if after is None or [star[0].timestamp(), star[1]] < place]
        shown = rest[:first]
        edges = [
            {"starredAt": _zulu(at), "node": None if each in self.taken_down else self._described(each)}
            for at, each in shown
        ]
        match fault:
            case "fewer edges":
                edges = edges[:-1]
            case "edges reordered":
                edges = edges[::-1]
            case "no edges":
                edges = []
        last = [shown[-1][0].timestamp(), shown[-1][1]] if shown else None
        leads_on = len(rest) > first
        return {
            "id": self._node(number),
            "databaseId": number + 1 if fault == "other account" else number,
            "starredRepositories": {
                "totalCount": len(newest),
                "isOverLimit": number in self.over_limit,
                "pageInfo": {
                    "hasNextPage": leads_on,
                    "endCursor": base64.b64encode(json.dumps(last).encode()).decode() if last else None,
                },
                "edges": edges,
            },
        }

    def _described(self, number: int) -> dict[str, Any]:
        found = self.repositories[number]
        return {
            "databaseId": number,
            "nameWithOwner": self._full_name(found),
            "url": f"https://github.com/{self._full_name(found)}",
            "isPrivate": found.private,
            "owner": {"__typename": "User", "login": self.users[found.owner], "databaseId": found.owner},
            "repositoryTopics": {"nodes": [{"topic": {"name": "music"}}]},
            "primaryLanguage": None,
        }

    def starred_delivery(self, user: int, number: int, *, deleted: bool = False) -> bytes:
        """The body of the App's `star` event, as it stands now; signed with the secret of the hook by the test."""
        shown = {**(self._shown(number) or {}), "topics": ["music"], "language": None}
        body = {
            "action": "deleted" if deleted else "created",
            "starred_at": None if deleted else _zulu(self.stars[user][number]),
            "repository": shown,
            "sender": self._person(user),
        }
        return json.dumps(body).encode()

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


def _zulu(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
