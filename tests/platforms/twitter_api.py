"""X on loopback: accounts, posts, likes, letters, webhooks and subscriptions, with its limits, prices and bad days.

Built from X's documentation, tweepy's recordings and the published deliveries; see the fact sheet. Bad days are
`suffer` (for whatever is asked next) and `faults` (for the next answer that has a list, or the next POST).
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import secrets as secret_words
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
from aiohttp import web

from tests.platforms.misbehaving import Handler
from tests.platforms.signing_in import Clock, Lent, SignsIn

LINK = ("tweet.read", "users.read", "like.read", "offline.access")
BOT = ("tweet.read", "users.read", "dm.read", "dm.write", "offline.access")

PRICES = {"post": 5_000, "user": 10_000, "like": 1_000, "letter read": 10_000, "letter sent": 15_000}
"""Micro-dollars, of each object once a UTC day (a letter is sent once anyway)."""

WINDOW = timedelta(minutes=15)
LIMITS: dict[str, int] = {
    "liked_tweets": 75,
    "messages": 15,
    "dm_events": 15,
    "subscriptions": 500,
    "webhooks": 450,
    "mentions": 450,
    "tweets": 3_500,
    "users": 500,
}
_TYPES = "https://api.twitter.com/2/problems/"
_EPOCH = 1_288_834_974_657


@dataclass(kw_only=True)
class User:
    id: str
    username: str
    protected: bool = False
    suspended: bool = False
    followers: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class Post:
    id: str
    author: str
    text: str
    at: datetime
    retweeted: str | None = None
    replied_to: str | None = None
    quoted: str | None = None
    versions: tuple[str, ...] = ()
    hidden_until: int = 0
    """Characters at the beginning that X wrote itself: whom the reply goes to."""
    deleted: bool = False


@dataclass(kw_only=True)
class Letter:
    id: str
    sender: str
    to: str
    text: str
    at: datetime
    urls: tuple[tuple[str, str], ...] = ()


class FakeTwitter(SignsIn):
    """Started by ``async with``; its state is changed by the methods, and read where a test likes."""

    authorize_path = "/i/oauth2/authorize"
    token_path = "/2/oauth2/token"
    demands_pkce = True
    basic = True
    scopes = (*LINK, "dm.read", "dm.write")
    lives = timedelta(hours=2)
    refreshes = True
    rotates = True
    code_lives = timedelta(seconds=30)

    def __init__(self, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(clock=clock)
        self.consumer_secret = "hub-consumer-secret"
        self.bearer_token = "hub-bearer-token"
        self.users: dict[str, User] = {}
        self.posts: dict[str, Post] = {}
        self.likes: dict[str, list[tuple[str, datetime]]] = {}
        """User to what they like, the newest like first."""
        self.letters: list[Letter] = []
        self.closed: set[str] = set()
        """Users who take no letters from the bot."""
        self.hooks: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.shape = "array"
        """How a new subscription is answered: array, object, or nested."""
        self.ceiling = 1_500
        self.reached: Callable[[str], str] = lambda url: url
        """Where a registered address is really called."""
        self.pending: list[dict[str, Any]] = []
        """Deliveries that nobody has taken yet."""
        self.delivered: list[dict[str, Any]] = []
        self.faults: deque[str] = deque()
        self.credits = True
        self.limits = dict(LIMITS)
        self.billed: Counter[str] = Counter()
        self.asked: list[str] = []
        """Every API question as METHOD path, by whom."""
        self._seen: set[tuple[str, str, str]] = set()
        self._used: Counter[tuple[str, str, int]] = Counter()
        self._number = 0

    # What the hub is told

    @property
    def secrets(self) -> Mapping[str, str]:
        return {
            **super().secrets,
            "consumer_secret": self.consumer_secret,
            "bearer_token": self.bearer_token,
        }

    @property
    def cost(self) -> int:
        """Micro-dollars that the operator owes."""
        return sum(PRICES[kind] * count for kind, count in self.billed.items())

    def knows(self, user: str) -> bool:
        return user in self.users and not self.users[user].suspended

    def lend(self, user: str, *, scopes: tuple[str, ...] = LINK) -> Lent:
        return super().lend(user, scopes=scopes)

    # What people do

    def user(self, user_id: str, username: str | None = None, **more: Any) -> User:
        user = User(id=user_id, username=username or f"user{user_id}", **more)
        self.users[user_id] = user
        self.likes.setdefault(user_id, [])
        return user

    def content(self, post_id: str | None, owner: str, text: str = "A post", **more: Any) -> Post:
        post = Post(id=post_id or self.snowflake(), author=owner, text=text, at=more.pop("at", self.clock()), **more)
        self.posts[post.id] = post
        return post

    def like(self, user: str, post_id: str, at: datetime | None = None) -> None:
        at = at or self.clock()
        if all(each != post_id for each, _ in self.likes[user]):
            self.likes[user].insert(0, (post_id, at))
            self._tell_like(user, post_id, at)

    def unlike(self, user: str, post_id: str) -> None:
        """X tells nobody."""
        self.likes[user] = [each for each in self.likes[user] if each[0] != post_id]

    def remove(self, post_id: str) -> None:
        self.posts[post_id].deleted = True

    def reply(self, user: str, to: str, text: str, **more: Any) -> Post:
        """A reply as X writes it: behind the names of those it goes to."""
        parent = self.posts[to]
        names = [self.users[parent.author].username]
        names += [each["username"] for each in self._mentions(parent) if each["username"] not in names]
        addressed = "".join(f"@{name} " for name in names)
        return self.content(None, user, addressed + text, replied_to=to, hidden_until=len(addressed), **more)

    def write(self, sender: str, to: str, text: str, urls: Iterable[tuple[str, str]] = ()) -> Letter:
        """A letter; ``urls``: what X put in the place of which addresses."""
        letter = Letter(id=self.snowflake(), sender=sender, to=to, text=text, at=self.clock(), urls=tuple(urls))
        self.letters.insert(0, letter)
        self._tell(
            "dm.received",
            {"user_id": to},
            payload={
                "direct_message_events": [
                    {
                        "type": "message_create",
                        "id": letter.id,
                        "created_timestamp": str(_millis(letter.at)),
                        "message_create": {
                            "target": {"recipient_id": to},
                            "sender_id": sender,
                            "message_data": {"text": text, "entities": _url_entities(letter)},
                        },
                    }
                ],
                "users": {sender: {"data": self._user(self.users[sender])}},
            },
        )
        return letter

    def take_back_access(self, user: str) -> None:
        """A user removes the app in X's settings: the tokens end, the subscriptions too, and the app is told."""
        self.withdraw(user)
        self.subscriptions = {
            number: each for number, each in self.subscriptions.items() if each["filter"].get("user_id") != user
        }
        payload = {"date_time": self.clock().isoformat(timespec="seconds"), "user_id": user, "app_id": "29820954"}
        self._tell("oauth.revoke", {}, payload=payload)

    def snowflake(self) -> str:
        self._number += 1
        return str(((_millis(self.clock()) - _EPOCH) << 22) + self._number)

    # Deliveries

    async def deliver(self) -> int:
        """Call the hub about everything pending; how many it took. What it did not take stays pending."""
        left, taken = [], 0
        async with aiohttp.ClientSession() as session:
            for event in self.pending:
                hook = self.hooks.get(event["webhook_id"])
                if hook is not None and hook["valid"] and await self._post(session, hook["url"], event["body"]):
                    taken += 1
                    self.delivered.append(event)
                else:
                    left.append(event)
        self.pending = left
        return taken

    async def replay(self) -> None:
        """What was delivered is delivered once more."""
        self.pending = [*self.delivered, *self.pending]
        self.delivered = []
        await self.deliver()

    def signature(self, body: bytes) -> str:
        code = hmac.digest(self.consumer_secret.encode(), body, "sha256")
        return f"sha256={base64.b64encode(code).decode()}"

    async def _post(self, session: aiohttp.ClientSession, url: str, body: bytes) -> bool:
        headers = {"content-type": "application/json", "x-twitter-webhooks-signature": self.signature(body)}
        try:
            async with session.post(self.reached(url), data=body, headers=headers) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def challenge(self, hook: dict[str, Any]) -> bool:
        """Ask an address whether it knows the secret; its webhook is valid only then."""
        token = secret_words.token_urlsafe(24)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(self.reached(hook["url"]), params={"crc_token": token}) as answer,
            ):
                said = await answer.json() if answer.status == 200 else {}
        except (aiohttp.ClientError, ValueError):
            said = {}
        hook["valid"] = said.get("response_token") == self.signature(token.encode())
        return bool(hook["valid"])

    def _tell_like(self, user: str, post_id: str, at: datetime) -> None:
        post = self.posts[post_id]
        if self.users[post.author].protected:
            return
        payload = {
            "id": secret_words.token_hex(16),
            "created_at": _spelled(at),
            "timestamp_ms": str(_millis(at)),
            "liked_tweet_author_id": post.author,
            "liked_tweet_id": post_id,
        }
        includes = {"users": [self._user(self.users[post.author])], "tweets": [self._tweet(post)]}
        for about, direction in ((user, "outbound"), (post.author, "inbound")):
            told = {"user_id": about, "direction": direction}
            self._tell("like.create", told, payload=payload, includes=includes)

    def _tell(self, kind: str, about: dict[str, str], **content: Any) -> None:
        for each in self.subscriptions.values():
            chosen = each["filter"]
            if each["event_type"] != kind or chosen.get("user_id") != about.get("user_id"):
                continue
            if chosen.get("direction", about.get("direction")) != about.get("direction"):
                continue
            number = secret_words.randbelow(2**63) - 2**62
            data = {"event_uuid": str(number), "filter": chosen, "event_type": kind, "tag": each.get("tag"), **content}
            body = json.dumps({"data": data}, ensure_ascii=False, separators=(",", ":")).encode()
            self.pending.append({"webhook_id": each.get("webhook_id"), "body": body})

    # The API

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        routes: Sequence[tuple[str, str, str, Any]] = (
            ("GET", "/2/users/me", "users", self._me),
            ("GET", "/2/users/by/username/{name}", "users", self._by_name),
            ("GET", "/2/users/{id}", "users", self._by_id),
            ("GET", "/2/users/{id}/liked_tweets", "liked_tweets", self._liked_tweets),
            ("GET", "/2/users/{id}/mentions", "mentions", self._mention_list),
            ("GET", "/2/tweets", "tweets", self._tweets),
            ("GET", "/2/tweets/{id}", "tweets", self._one_tweet),
            ("GET", "/2/dm_events", "dm_events", self._dm_events),
            ("GET", "/2/dm_conversations/with/{id}/dm_events", "dm_events", self._dm_events),
            ("POST", "/2/dm_conversations/with/{id}/messages", "messages", self._send),
            ("GET", "/2/webhooks", "webhooks", self._hook_list),
            ("POST", "/2/webhooks", "webhooks", self._register),
            ("PUT", "/2/webhooks/{id}", "webhooks", self._revalidate),
            ("GET", "/2/activity/subscriptions", "subscriptions", self._subscription_list),
            ("POST", "/2/activity/subscriptions", "subscriptions", self._subscribe),
            ("DELETE", "/2/activity/subscriptions/{id}", "subscriptions", self._unsubscribe),
        )
        for method, path, endpoint, answer in routes:
            app.router.add_route(method, path, self._guarded(endpoint, answer))
        app.router.add_post("/2/oauth2/revoke", self._revoked)

    def _guarded(self, endpoint: str, answer: Handler) -> Handler:
        """Access, credits and limits, before anything else; the limit's headers, after."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            who = self._asker(request)
            self.asked.append(f"{request.method} {request.path} by {who}")
            if who is None:
                return _problem(401, "Unauthorized", "about:blank")
            if not self.credits:
                return _problem(402, "CreditsDepleted", "credits")
            period = int(self.clock().timestamp() // WINDOW.total_seconds())
            used, limit = (who, f"{request.method} {endpoint}", period), self.limits[endpoint]
            headers = {
                "date": format_datetime(self.clock(), usegmt=True),
                "x-rate-limit-limit": str(limit),
                "x-rate-limit-reset": str(int((period + 1) * WINDOW.total_seconds())),
            }
            if self._used[used] >= limit:
                headers["x-rate-limit-remaining"] = "0"
                return _problem(429, "Too Many Requests", "about:blank", headers)
            self._used[used] += 1
            headers["x-rate-limit-remaining"] = str(limit - self._used[used])
            response = await answer(request)
            if request.method == "POST" and self.faults and self.faults[0] == "lost":
                self.faults.popleft()
                assert request.transport is not None
                request.transport.close()
                raise asyncio.CancelledError
            response.headers.update(headers)
            return response

        return guarded

    def _asker(self, request: web.Request) -> str | None:
        if request.headers.get("authorization") == f"Bearer {self.bearer_token}":
            return "app"
        return self.user_of(request)

    def _access(self, request: web.Request, *scopes: str) -> Lent | web.Response:
        lent = self.access_of(request)
        if lent is None:
            return _problem(403, "Unsupported Authentication", "unsupported-authentication")
        if not set(scopes) <= set(lent.scopes):
            return _problem(403, "Forbidden", "about:blank")
        return lent

    def _bill(self, kind: str, number: str) -> None:
        key = (kind, number, self.clock().date().isoformat())
        if key not in self._seen:
            self._seen.add(key)
            self.billed[kind] += 1

    # Accounts

    async def _me(self, request: web.Request) -> web.StreamResponse:
        lent = self._access(request, "users.read", "tweet.read")
        return lent if isinstance(lent, web.Response) else self._about_user(self.users[lent.user])

    async def _by_id(self, request: web.Request) -> web.StreamResponse:
        return self._about_user(self.users.get(request.match_info["id"]), request.match_info["id"])

    async def _by_name(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        found = next((each for each in self.users.values() if each.username.lower() == name.lower()), None)
        return self._about_user(found, name)

    def _about_user(self, user: User | None, asked: str = "") -> web.Response:
        if user is None:
            return web.json_response({"errors": [_missing("user", asked)]})
        if user.suspended:
            error = {
                "value": asked,
                "title": "Forbidden",
                "resource_type": "user",
                "type": _TYPES + "resource-not-found",
            }
            return web.json_response({"errors": [error]})
        self._bill("user", user.id)
        return web.json_response({"data": self._user(user)})

    def _user(self, user: User) -> dict[str, Any]:
        return {"id": user.id, "name": user.username.title(), "username": user.username, "protected": user.protected}

    # Posts

    def _tweet(self, post: Post) -> dict[str, Any]:
        refs = {"retweeted": post.retweeted, "replied_to": post.replied_to, "quoted": post.quoted}
        told: dict[str, Any] = {
            "id": post.id,
            "text": post.text,
            "author_id": post.author,
            "created_at": _spelled(post.at),
            "edit_history_tweet_ids": list(post.versions or (post.id,)),
            "display_text_range": [post.hidden_until, len(post.text)],
        }
        referenced = [{"type": kind, "id": number} for kind, number in refs.items() if number]
        if referenced:
            told["referenced_tweets"] = referenced
        if post.replied_to in self.posts:
            told["in_reply_to_user_id"] = self.posts[post.replied_to].author
        mentions = self._mentions(post)
        tags = [{"tag": word[1:]} for word in post.text.split() if word.startswith("#")]
        if mentions or tags:
            told["entities"] = {"mentions": mentions, "hashtags": tags}
        return told

    def _mentions(self, post: Post) -> list[dict[str, Any]]:
        names = {user.username.lower(): user for user in self.users.values()}
        found, start = [], 0
        for word in post.text.split(" "):
            name = word.removeprefix("@").strip(",.!?").lower()
            if word.startswith("@") and name in names:
                user = names[name]
                found.append({"start": start, "end": start + len(name) + 1, "username": user.username, "id": user.id})
            start += len(word) + 1
        return found

    def _trouble_with(self, post_id: str, viewer: str) -> dict[str, Any] | None:
        post = self.posts.get(post_id)
        if post is None or post.deleted:
            return _missing("tweet", post_id)
        author = self.users[post.author]
        hidden = author.protected and viewer != author.id and viewer not in author.followers
        if author.suspended or hidden:
            return {
                **_missing("tweet", post_id),
                "title": "Authorization Error",
                "type": _TYPES + "not-authorized-for-resource",
            }
        return None

    def _with_includes(
        self, posts: Sequence[Post], request: web.Request, errors: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """The answer's parts that expansions ask for, billed."""
        viewer = self._asker(request) or ""
        wanted = request.query.get("expansions", "").split(",")
        more: dict[str, dict[str, Any]] = {}
        if "referenced_tweets.id" in wanted:
            for post in posts:
                for number in filter(None, (post.retweeted, post.quoted, post.replied_to)):
                    trouble = self._trouble_with(number, viewer)
                    if trouble is None:
                        self._bill("post", number)
                        more[number] = self._tweet(self.posts[number])
                    else:
                        errors.append(trouble)
        includes: dict[str, Any] = {"tweets": list(more.values())} if more else {}
        if "author_id" in wanted and posts:
            authors = {post.author: self._user(self.users[post.author]) for post in posts}
            for number in authors:
                self._bill("user", number)
            includes["users"] = list(authors.values())
        return {"includes": includes} if includes else {}

    async def _tweets(self, request: web.Request) -> web.StreamResponse:
        asked = request.query["ids"].split(",")
        viewer = self._asker(request) or ""
        errors = [each for number in asked if (each := self._trouble_with(number, viewer))]
        posts = [self.posts[number] for number in asked if self._trouble_with(number, viewer) is None]
        for post in posts:
            self._bill("post", post.id)
        told: dict[str, Any] = {"data": [self._tweet(post) for post in posts]} if posts else {}
        told |= self._with_includes(posts, request, errors)
        return web.json_response(told | ({"errors": errors} if errors else {}))

    async def _one_tweet(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        trouble = self._trouble_with(number, self._asker(request) or "")
        if trouble is not None:
            return web.json_response({"errors": [trouble]})
        self._bill("post", number)
        errors: list[dict[str, Any]] = []
        told = {"data": self._tweet(self.posts[number])} | self._with_includes([self.posts[number]], request, errors)
        return web.json_response(told | ({"errors": errors} if errors else {}))

    async def _liked_tweets(self, request: web.Request) -> web.StreamResponse:
        lent = self._access(request, "like.read", "tweet.read", "users.read")
        if isinstance(lent, web.Response):
            return lent
        if lent.user != request.match_info["id"]:
            return _problem(403, "Forbidden", "not-authorized-for-resource")
        liked = [
            self.posts[number] for number, _ in self.likes[lent.user] if self._trouble_with(number, lent.user) is None
        ]
        return self._page(request, liked, "like")

    async def _mention_list(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        since = int(request.query.get("since_id", "0"))
        found = [
            post
            for post in sorted(self.posts.values(), key=lambda each: int(each.id), reverse=True)
            if any(each["id"] == number for each in self._mentions(post))
            and int(post.id) > since
            and self._trouble_with(post.id, self._asker(request) or "") is None
        ]
        return self._page(request, found, "post")

    def _page(self, request: web.Request, posts: list[Post], price: str) -> web.Response:
        most, first = int(request.query.get("max_results", "100")), int(request.query.get("pagination_token", "0"))
        page = posts[first : first + most]
        for post in page:
            self._bill(price, post.id)
        errors: list[dict[str, Any]] = []
        told: dict[str, Any] = {"data": [self._tweet(post) for post in page]} if page else {}
        told["meta"] = {"result_count": len(page)}
        if len(posts) > first + most:
            told["meta"]["next_token"] = str(first + most)
        told |= self._with_includes(page, request, errors)
        if errors:
            told["errors"] = errors
        return self._spoilt_list(told)

    def _spoilt_list(self, told: dict[str, Any]) -> web.Response:
        fault = self.faults.popleft() if self.faults and self.faults[0] != "lost" else ""
        data = told.get("data", [])
        match fault:
            case "truncated":
                told["data"] = data[: len(data) // 2]
            case "reordered":
                told["data"] = data[::-1]
            case "no meta":
                told.pop("meta", None)
            case "no ids":
                told["data"] = [{key: value for key, value in each.items() if key != "id"} for each in data]
            case "errors":
                told = {"errors": [{"title": "Internal", "type": _TYPES + "internal"}]}
            case "error object":
                told = {"title": "Over capacity", "type": "about:blank", "status": 503}
            case "html":
                return web.Response(text="<html>Something went wrong", content_type="text/html")
            case "list":
                return web.json_response(data)
            case "empty":
                told = {"meta": {"result_count": 0}}
        return web.json_response(told)

    # Letters

    async def _dm_events(self, request: web.Request) -> web.StreamResponse:
        lent = self._access(request, "dm.read", "tweet.read", "users.read")
        if isinstance(lent, web.Response):
            return lent
        other = request.match_info.get("id")
        mine = [
            each
            for each in self.letters
            if lent.user in (each.sender, each.to) and (other is None or other in (each.sender, each.to))
        ]
        most, first = int(request.query.get("max_results", "100")), int(request.query.get("pagination_token", "0"))
        page = mine[first : first + most]
        for each in page:
            self._bill("letter read", each.id)
        told: dict[str, Any] = {"data": [_event(each) for each in page]} if page else {}
        told["meta"] = {"result_count": len(page)}
        if len(mine) > first + most:
            told["meta"]["next_token"] = str(first + most)
        if "sender_id" in request.query.get("expansions", "") and page:
            senders = {each.sender for each in page}
            for number in senders:
                self._bill("user", number)
            told["includes"] = {"users": [self._user(self.users[number]) for number in sorted(senders)]}
        return self._spoilt_list(told)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        lent = self._access(request, "dm.write", "dm.read", "tweet.read", "users.read")
        if isinstance(lent, web.Response):
            return lent
        to, text = request.match_info["id"], (await request.json()).get("text", "")
        if not text or len(text) > 10_000:
            return _problem(400, "Invalid Request", "invalid-request")
        if to not in self.users or to in self.closed or self.users[to].suspended:
            return _problem(403, "Forbidden", "not-authorized-for-resource")
        letter = Letter(id=self.snowflake(), sender=lent.user, to=to, text=text, at=self.clock())
        self.letters.insert(0, letter)
        self._bill("letter sent", letter.id)
        data = {"dm_conversation_id": f"{to}-{lent.user}", "dm_event_id": letter.id}
        return web.json_response({"data": data}, status=201)

    # Webhooks and subscriptions

    def _app_only(self, request: web.Request) -> web.Response | None:
        if self._asker(request) == "app":
            return None
        return _problem(403, "Unsupported Authentication", "unsupported-authentication")

    async def _hook_list(self, request: web.Request) -> web.StreamResponse:
        if refused := self._app_only(request):
            return refused
        return web.json_response({"data": list(self.hooks.values()), "meta": {"result_count": len(self.hooks)}})

    async def _register(self, request: web.Request) -> web.StreamResponse:
        if refused := self._app_only(request):
            return refused
        url = (await request.json()).get("url", "")
        if any(hook["url"] == url for hook in self.hooks.values()):
            return _problem(400, "DuplicateUrlFailed", "invalid-request")
        hook = {"id": self.snowflake(), "url": url, "valid": False, "created_at": _spelled(self.clock())}
        if not await self.challenge(hook):
            return _problem(400, "CrcValidationFailed", "invalid-request")
        self.hooks[hook["id"]] = hook
        return web.json_response({"data": hook})

    async def _revalidate(self, request: web.Request) -> web.StreamResponse:
        if refused := self._app_only(request):
            return refused
        hook = self.hooks.get(request.match_info["id"])
        if hook is None:
            return _problem(404, "Not Found", "resource-not-found")
        return web.json_response({"data": {"valid": await self.challenge(hook)}})

    async def _subscription_list(self, request: web.Request) -> web.StreamResponse:
        every = list(self.subscriptions.values())
        most, first = int(request.query.get("max_results", "100")), int(request.query.get("pagination_token", "0"))
        told: dict[str, Any] = {
            "data": every[first : first + most],
            "meta": {"total_subscriptions": len(every)},
        }
        if len(every) > first + most:
            told["meta"]["next_token"] = str(first + most)
        return self._spoilt_list(told)

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        kind, chosen = wanted["event_type"], wanted["filter"]
        who = self._asker(request)
        if kind in ("like.create", "dm.received") and who != chosen.get("user_id"):
            return _problem(403, "Forbidden", "not-authorized-for-resource")
        if any(each["event_type"] == kind and each["filter"] == chosen for each in self.subscriptions.values()):
            return _problem(400, "DuplicateSubscription", "invalid-request")
        if len(self.subscriptions) >= self.ceiling:
            return _problem(403, "SubscriptionLimitExceeded", "usage-capped")
        now = _spelled(self.clock())
        one = {**wanted, "subscription_id": self.snowflake(), "created_at": now, "updated_at": now}
        self.subscriptions[one["subscription_id"]] = one
        data: Any = {"array": [one], "object": one, "nested": {"subscription": one}}[self.shape]
        return web.json_response({"data": data, "meta": {"total_subscriptions": len(self.subscriptions)}})

    async def _unsubscribe(self, request: web.Request) -> web.StreamResponse:
        if refused := self._app_only(request):
            return refused
        there = self.subscriptions.pop(request.match_info["id"], None) is not None
        if not there:
            return _problem(404, "Not Found", "resource-not-found")
        meta = {"total_subscriptions": len(self.subscriptions)}
        return web.json_response({"data": {"deleted": True}, "meta": meta})

    # Tokens

    def _renew(self, lent: Lent) -> None:
        super()._renew(lent)
        if "offline.access" not in lent.scopes:
            lent.refresh_token = None

    def _error(self, name: str, status: int) -> web.Response:
        if name == "invalid_client":
            body = {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
            return web.json_response(body, status=401)
        if name == "invalid_grant":
            body = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
            return web.json_response(body, status=400)
        return super()._error(name, status)

    async def _revoked(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not self._is_application(request, form):
            return self._error("invalid_client", 401)
        return web.json_response({"revoked": True}) if self.revoke(form["token"]) else self._error("invalid_grant", 400)


def _event(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "event_type": "MessageCreate",
        "text": letter.text,
        "sender_id": letter.sender,
        "created_at": _spelled(letter.at),
        "dm_conversation_id": "-".join(sorted((letter.sender, letter.to))),
        "entities": _url_entities(letter),
    }


def _url_entities(letter: Letter) -> dict[str, Any]:
    return {"urls": [{"url": short, "expanded_url": whole} for short, whole in letter.urls]}


def _missing(kind: str, value: str) -> dict[str, Any]:
    return {
        "value": value,
        "detail": f"Could not find {kind} with id: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "resource_id": value,
        "parameter": "id",
        "type": _TYPES + "resource-not-found",
    }


def _problem(status: int, title: str, kind: str, headers: Mapping[str, str] | None = None) -> web.Response:
    where = kind if kind.startswith("about:") else _TYPES + kind
    body = {"title": title, "detail": f"{title}.", "type": where, "status": status}
    text = json.dumps(body)
    return web.Response(status=status, text=text, content_type="application/problem+json", headers=headers)


def _spelled(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
