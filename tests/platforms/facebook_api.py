"""A small Facebook on loopback: the Graph API as the hub asks it, Pages that people react to, Messenger, webhooks.

Built from the platform's fact sheet and its published payloads. Stateful: it keeps running while the hub is down,
and what Facebook would deliver meanwhile waits in `deliveries`. It misbehaves on request: `suffer` spoils whole
answers, `odd` spoils lists, `refuse` answers with Facebook's own errors, `usage` fills its headers of limits.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.platforms.signing_in import Clock, Lent, SignsIn

VERSION = "/v25.0"
WINDOW = timedelta(hours=24)
ODD = ("short", "reordered", "no total", "more than listed", "no ids", "an object", "circle", "error under 200")
"""What can go wrong with a list."""


@dataclass(kw_only=True)
class FakePage:
    page_id: str
    owner: str
    name: str
    same_business: bool = True
    tasks: tuple[str, ...] = ("ANALYZE", "MANAGE")
    fields: set[str] = field(default_factory=set)
    """What it tells the app."""
    token: str = ""
    likers: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class FakePost:
    post_id: str
    page: str
    at: datetime
    message: str = "A box of buttons\nwith #Knots"
    reactions: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """User to kind and time."""


class FakeFacebook(SignsIn):
    """People are named by what tests call them; Facebook shows another number of each to the app and to every Page."""

    authorize_path = f"{VERSION}/dialog/oauth"
    token_path = f"{VERSION}/oauth/access_token"
    separator = ","
    lives = timedelta(hours=2)
    long_lives = timedelta(days=60)
    scopes = (
        "public_profile",
        "pages_show_list",
        "pages_manage_metadata",
        "pages_read_engagement",
        "pages_read_user_content",
        "pages_messaging",
    )

    def __init__(self, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(clock=clock)
        self.client_id = "4711000815"
        self.client_secret = "an app's secret"
        self.verify_token = "a word of ours"
        self.users: dict[str, str] = {}
        self.pages: dict[str, FakePage] = {}
        self.posts: dict[str, FakePost] = {}
        self.gone: dict[str, tuple[int, int | None]] = {}
        """Removed posts, with the error that says so."""
        self.lasting: dict[str, tuple[str, datetime]] = {}
        """Long-lived tokens: whose, until when."""
        self.subscriptions: list[dict[str, Any]] = []
        self.spoken: dict[tuple[str, str], datetime] = {}
        """When somebody last wrote to a Page."""
        self.sent: list[tuple[str, str, str]] = []
        self.refuses_pictures = False
        """Messages that arrived: Page, who, text."""
        self.unticked: set[str] = set()
        """Permissions that people leave out in the dialog."""
        self.blocked: set[str] = set()
        """Who does not want to hear from Pages."""
        self.usage: dict[str, object] = {}
        self.odd: deque[str] = deque()
        self.refuse: deque[tuple[int, int | None]] = deque()
        """Errors (code and subcode) instead of the next answers."""
        self.deliveries: list[dict[str, Any]] = []
        """Entries that are to be delivered: object and entry."""
        self.page_size = 100

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"app_id": self.client_id, "app_secret": self.client_secret, "verify_token": self.verify_token}

    @property
    def settings(self) -> Mapping[str, str]:
        return {"api": self.base, "site": self.base}

    @property
    def app_token(self) -> str:
        return f"{self.client_id}|{self.client_secret}"

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_route("*", VERSION + "/{node}", self._node)
        app.router.add_route("*", VERSION + "/{node}/{edge}", self._node)

    # The world

    def knows(self, user: str) -> bool:
        return user in self.users

    def user(self, name: str, shown: str | None = None) -> str:
        self.users[name] = shown or name.capitalize()
        return name

    def asid(self, user: str) -> str:
        """The number by which the app knows a person."""
        return _number("app", user)

    def psid(self, page: str, user: str) -> str:
        """The number by which a Page knows a person."""
        return _number(page, user)

    def page(self, page_id: str, owner: str, name: str = "Sowerby", **more: Any) -> FakePage:
        self.users.setdefault(owner, owner.capitalize())
        page = FakePage(page_id=page_id, owner=owner, name=name, token=f"page-token-{page_id}", **more)
        self.pages[page_id] = page
        return page

    def content(self, post_id: str, owner: str, at: datetime | None = None, **more: Any) -> FakePost:
        """A post; ``owner`` is its Page."""
        post = FakePost(post_id=post_id, page=owner, at=at or self.clock(), **more)
        self.posts[post_id] = post
        return post

    def like(self, user: str, thing: str, at: datetime | None = None, *, kind: str = "LIKE") -> None:
        """React to a post, change the reaction, or like a Page (``page:ID``)."""
        at = at or self.clock()
        if thing.startswith("page:"):
            page = self.pages[thing.removeprefix("page:")]
            page.likers.add(user)
            self._tell_feed(page, at, {"item": "like", "verb": "add", "user_id": int(self.psid(page.page_id, user))})
            return
        post = self.posts[thing]
        verb = "edit" if user in post.reactions else "add"
        post.reactions[user] = (kind, at)
        self._tell_reaction(post, user, verb, kind, at)

    def unlike(self, user: str, thing: str, at: datetime | None = None) -> None:
        at = at or self.clock()
        if thing.startswith("page:"):
            page = self.pages[thing.removeprefix("page:")]
            page.likers.discard(user)
            self._tell_feed(page, at, {"item": "like", "verb": "remove", "user_id": int(self.psid(page.page_id, user))})
            return
        post = self.posts[thing]
        kind, _ = post.reactions.pop(user)
        self._tell_reaction(post, user, "remove", kind, at)

    def remove(self, thing: str, *, error: tuple[int, int | None] = (100, 33)) -> None:
        """A post is deleted."""
        post = self.posts.pop(thing)
        self.gone[thing] = error
        value = {"item": "post", "verb": "remove", "post_id": thing, "created_time": int(self.clock().timestamp())}
        self._tell_feed(self.pages[post.page], self.clock(), value)

    def write(self, user: str, page: str, text: str, *, mid: str | None = None) -> None:
        """Somebody writes to a Page."""
        self.spoken[page, user] = self.clock()
        stamp = int(self.clock().timestamp() * 1000)
        self._tell_messenger(user, page, {"message": {"mid": mid or f"m_{user}{stamp}", "text": text}})

    def open_chat(self, user: str, page: str, ref: str) -> None:
        """Somebody opens m.me/PAGE?ref=REF."""
        self.spoken[page, user] = self.clock()
        self._tell_messenger(user, page, {"referral": {"ref": ref, "source": "SHORTLINK", "type": "OPEN_THREAD"}})

    def remove_app(self, user: str) -> str:
        """Somebody removes the app; the signed request that its call-backs get."""
        self.withdraw(user)
        self.lasting = {token: lent for token, lent in self.lasting.items() if lent[0] != user}
        entry = {
            "id": self.asid(user),
            "uid": self.asid(user),
            "time": int(self.clock().timestamp()),
            "changes": [{"field": "connected", "verb": "revoked"}],
        }
        self.deliveries.append({"object": "permissions", "entry": entry})
        return self.signed_request(user)

    def signed_request(self, user: str) -> str:
        content = {
            "algorithm": "HMAC-SHA256",
            "user_id": self.asid(user),
            "issued_at": int(self.clock().timestamp()),
            "expires": 0,
        }
        payload = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
        code = hmac.digest(self.client_secret.encode(), payload.encode(), "sha256")
        return f"{base64.urlsafe_b64encode(code).decode().rstrip('=')}.{payload}"

    def long_lived(self, user: str) -> str:
        """A token of sixty days, without a browser."""
        token = f"lasting-{user}-{len(self.lasting)}"
        self.lasting[token] = (user, self.clock() + self.long_lives)
        return token

    # What is delivered

    def bodies(self, *, batch: int = 1, shuffle: random.Random | None = None) -> list[bytes]:
        """What waits, in bodies of at most so many entries, out of order if wanted; nothing waits afterwards."""
        waiting, self.deliveries = self.deliveries, []
        if shuffle is not None:
            shuffle.shuffle(waiting)
        by_object: dict[str, list[Any]] = {}
        for each in waiting:
            by_object.setdefault(each["object"], []).append(each["entry"])
        return [
            json.dumps({"object": name, "entry": entries[start : start + batch]}).encode()
            for name, entries in by_object.items()
            for start in range(0, len(entries), batch)
        ]

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers with which a body is delivered."""
        code = hmac.digest(self.client_secret.encode(), body, "sha256").hex()
        return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={code}"}

    def _tell_reaction(self, post: FakePost, user: str, verb: str, kind: str, at: datetime) -> None:
        value = {
            "from": {"id": self.psid(post.page, user), "name": self.users[user]},
            "post_id": post.post_id,
            "created_time": int(at.timestamp()),
            "item": "reaction",
            "parent_id": post.post_id,
            "reaction_type": kind.lower(),
            "verb": verb,
        }
        self._tell_feed(self.pages[post.page], at, value)

    def _tell_feed(self, page: FakePage, at: datetime, value: dict[str, Any]) -> None:
        if "feed" in page.fields:
            entry = {"id": page.page_id, "time": int(at.timestamp()), "changes": [{"field": "feed", "value": value}]}
            self.deliveries.append({"object": "page", "entry": entry})

    def _tell_messenger(self, user: str, page: str, what: dict[str, Any]) -> None:
        stamp = int(self.clock().timestamp() * 1000)
        message = {"sender": {"id": self.psid(page, user)}, "recipient": {"id": page}, "timestamp": stamp, **what}
        self.deliveries.append({"object": "page", "entry": {"id": page, "time": stamp, "messaging": [message]}})

    # The Graph API

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if form.get("grant_type") != "fb_exchange_token":
            answer = await super()._exchange(request)
            if answer.status != 200:
                return _error(100, 36007)
            return answer
        lent = self.access_by(form.get("fb_exchange_token", ""))
        if not self._is_application(request, form) or lent is None:
            return _error(190, None)
        seconds = int(self.long_lives.total_seconds())
        return web.json_response(
            {"access_token": self.long_lived(lent.user), "token_type": "bearer", "expires_in": seconds}
        )

    def token_answer(self, lent: Lent) -> dict[str, Any]:
        return {}

    async def _node(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return _error(*self.refuse.popleft())
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        proof = hmac.new(self.client_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if request.query.get("appsecret_proof") != proof:
            return _error(100, None, "Invalid appsecret_proof provided in the API argument")
        node, edge = request.match_info["node"], request.match_info.get("edge", "")
        if token == self.app_token:
            answer = self._for_app(request, node, edge)
        elif (owner := self._user_of_token(token)) is not None:
            answer = self._for_user(request, owner, node, edge)
        elif (page := next((each for each in self.pages.values() if each.token == token), None)) is not None:
            answer = await self._for_page(request, page, node, edge)
        else:
            answer = _error(190, 463)
        for name, value in self.usage.items():
            answer.headers[name] = json.dumps(value)
        return answer

    def _user_of_token(self, token: str) -> str | None:
        if token in self.lasting:
            user, until = self.lasting[token]
            return user if until > self.clock() else None
        lent = self.access_by(token)
        return lent.user if lent else None

    def _for_app(self, request: web.Request, node: str, edge: str) -> web.Response:
        match request.method, edge:
            case "GET", "" if node == self.client_id:
                return web.json_response({"id": node, "name": "Flattr Hub"})
            case "GET", "subscriptions" if node == self.client_id:
                return web.json_response({"data": self.subscriptions})
            case "GET", "ids_for_pages":
                page = self.pages.get(request.query.get("page", ""))
                user = next((each for each in self.users if self.asid(each) == node), None)
                if page is None or user is None or not page.same_business:
                    return _error(100, None, "The app and the page are not owned by the same business")
                found = {"id": self.psid(page.page_id, user), "page": {"id": page.page_id, "name": page.name}}
                return web.json_response({"data": [found], "paging": {"cursors": {"before": "a", "after": "b"}}})
        return _error(100, 33)

    def _for_user(self, request: web.Request, user: str, node: str, edge: str) -> web.Response:
        match request.method, node, edge:
            case "GET", "me", "":
                return web.json_response({"id": self.asid(user), "name": self.users[user]})
            case "GET", "me", "permissions":
                left_out = {each: "declined" if each in self.unticked else "granted" for each in self.scopes}
                told = [{"permission": each, "status": status} for each, status in left_out.items()]
                return web.json_response({"data": told})
            case "GET", "me", "accounts":
                mine = [page for page in self.pages.values() if page.owner == user]
                shown = [
                    {"id": page.page_id, "name": page.name, "tasks": list(page.tasks), "access_token": page.token}
                    for page in mine
                ]
                return self._paged(request, shown)
            case "DELETE", asid, "permissions" if asid == self.asid(user):
                self.remove_app(user)
                return web.json_response({"success": True})
        return _error(100, 33)

    async def _for_page(self, request: web.Request, page: FakePage, node: str, edge: str) -> web.Response:
        match request.method, edge:
            case "GET", "subscribed_apps" if node == page.page_id:
                ours = [{"id": self.client_id, "name": "Flattr Hub", "subscribed_fields": sorted(page.fields)}]
                return web.json_response({"data": ours if page.fields else []})
            case "POST", "subscribed_apps" if node == page.page_id:
                page.fields = set(str((await request.post())["subscribed_fields"]).split(","))
                return web.json_response({"success": True})
            case "DELETE", "subscribed_apps" if node == page.page_id:
                page.fields = set()
                return web.json_response({"success": True})
            case "GET", "posts" if node == page.page_id:
                mine = sorted((p for p in self.posts.values() if p.page == node), key=lambda p: p.at, reverse=True)
                return self._paged(request, [_shown(post) for post in mine])
            case "GET", "reactions":
                return self._reactions(request, page, node)
            case "POST", "messages" if node == page.page_id:
                if request.content_type == "multipart/form-data":
                    return self._show(page, request.headers["Content-Type"], await request.read())
                return self._say(page, await request.json())
        return _error(100, 33)

    def _reactions(self, request: web.Request, page: FakePage, node: str) -> web.Response:
        if node in self.gone:
            return _error(*self.gone[node])
        post = self.posts.get(node)
        if post is None or post.page != page.page_id:
            return _error(100, 33)
        newest = sorted(post.reactions.items(), key=lambda each: (each[1][1], each[0]), reverse=True)
        shown = [
            {"id": self.psid(post.page, user), "name": self.users[user], "type": kind} for user, (kind, _) in newest
        ]
        return self._paged(request, shown, total=len(shown))

    def _show(self, page: FakePage, kind: str, body: bytes) -> web.Response:
        """https://developers.facebook.com/docs/messenger-platform/send-messages#sending_attachments"""
        whole = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=email.policy.HTTP)
        parts = {part.get_param("name", header="content-disposition"): part for part in whole.iter_parts()}
        message, file = json.loads(parts["message"].get_content()), parts.get("filedata")
        psid = json.loads(parts["recipient"].get_content())["id"]
        user = next((each for each in self.users if self.psid(page.page_id, each) == psid), None)
        if message != {"attachment": {"type": "image", "payload": {}}} or file is None:
            return _error(100, None, "(#100) Incorrect number of files uploaded. Must upload exactly one file.")
        if user is None:
            return _error(100, 2018001, "No matching user found")
        if self.refuses_pictures:
            return _error(100, 2018047, "Upload attachment failure.")
        self.sent.append(
            (page.page_id, user, f"[{file.get_content_type()} {file.get_filename()} {file.get_content()!r}]")
        )
        return web.json_response({"recipient_id": psid, "message_id": f"m_out{len(self.sent)}"})

    def _say(self, page: FakePage, body: Mapping[str, Any]) -> web.Response:
        psid, text = body["recipient"]["id"], body["message"]["text"]
        user = next((each for each in self.users if self.psid(page.page_id, each) == psid), None)
        if user is None:
            return _error(100, 2018001, "No matching user found")
        if user in self.blocked:
            return _error(551, 1545041, "This person isn't available right now.")
        if len(text) > 2000:
            return _error(100, None, "(#100) Length of param message[text] must be less than or equal to 2000")
        last = self.spoken.get((page.page_id, user))
        if last is None or self.clock() - last > WINDOW:
            return _error(10, 2018278, "This message is sent outside of allowed window.")
        self.sent.append((page.page_id, user, text))
        return web.json_response({"recipient_id": psid, "message_id": f"m_out{len(self.sent)}"})

    def _paged(self, request: web.Request, shown: list[dict[str, Any]], *, total: int | None = None) -> web.Response:
        size = min(int(request.query.get("limit", "25")), self.page_size)
        after = request.query.get("after")
        start = int(base64.urlsafe_b64decode(after)) if after else 0
        data = shown[start : start + size]
        answer: dict[str, Any] = {"data": data}
        if total is not None and request.query.get("summary") == "total_count":
            answer["summary"] = {"total_count": total}
        if data:
            cursor = base64.urlsafe_b64encode(str(start + len(data)).encode()).decode()
            answer["paging"] = {"cursors": {"before": "before", "after": cursor}}
            if start + size < len(shown):
                answer["paging"]["next"] = f"{self.base}{request.path}?after={cursor}"
        match self.odd.popleft() if self.odd else None:
            case "short":
                answer["data"] = data[:-1]
            case "reordered":
                answer["data"] = data[::-1]
            case "no total":
                answer.pop("summary", None)
            case "more than listed":
                answer["summary"] = {"total_count": len(shown) + 1}
            case "no ids":
                answer["data"] = [{name: each[name] for name in each if name != "id"} for each in data]
            case "an object":
                answer["data"] = {"id": "1"}
            case "circle":
                again = base64.urlsafe_b64encode(b"0").decode()
                answer["paging"] = {"cursors": {"after": again}, "next": f"{self.base}{request.path}"}
                self.odd.append("circle")
            case "error under 200":
                return web.json_response({"error": {"message": "odd", "type": "OAuthException", "code": 1}})
        return web.json_response(answer)


def _shown(post: FakePost) -> dict[str, Any]:
    page, _, number = post.post_id.partition("_")
    return {
        "id": post.post_id,
        "created_time": f"{post.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+0000",
        "message": post.message,
        "permalink_url": f"https://www.facebook.com/sowerby{page}/posts/{number}",
    }


def _error(code: int, subcode: int | None, message: str = "Facebook says no") -> web.Response:
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCdEf"}
    if subcode is not None:
        error["error_subcode"] = subcode
    return web.json_response({"error": error}, status=400)


def _number(scope: str, user: str) -> str:
    return str(10**15 + int.from_bytes(hashlib.sha256(f"{scope}:{user}".encode()).digest()[:6], "big"))
