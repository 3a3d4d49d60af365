"""A small Discord on loopback: its REST interface and its gateway, stateful, and misbehaving on request.

Built from the documentation of the gateway and of the resources; see the fact sheet of the platform. It
remembers messages, reactions, sessions and what every session was sent, so that a resumed one gets the rest.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

BOT = 9000
BASE = "/api/v10"
Event = tuple[str, dict[str, Any]]


@dataclass
class Session:
    """One gateway session: what it was sent stays known until it is invalidated."""

    session_id: str
    shard: list[int]
    intents: int
    socket: web.WebSocketResponse | None = None
    sent: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)


class FakeDiscord:
    """Started by `start`, asked by the real client; tests act through the methods and look at the state."""

    def __init__(self) -> None:
        self.base = ""
        self.requests: list[tuple[str, str]] = []
        self.messages: dict[int, dict[str, Any]] = {}
        """Every message by its id, with its channel and, once sent by the bot, its nonce."""
        self.reactions: dict[int, dict[str, dict[int, int]]] = {}
        """Message to emoji (as in addresses) to user to type (0 normal, 1 burst)."""
        self.commands: list[dict[str, Any]] = []
        self.registrations = 0
        self.answers: list[dict[str, Any]] = []
        """What the hub answered to interactions: {interaction, type, data}."""
        self.sessions: dict[str, Session] = {}
        self.identified = 0
        self.resumed = 0
        self.token = "a.test.token"
        self.closed_to: set[int] = set()
        """Users who take no direct messages."""
        self.refuses_files = False
        self.files: dict[int, list[bytes]] = {}
        """What was uploaded with each message."""
        self._faults: dict[str, deque[str]] = {}
        self._by_nonce: dict[str, dict[str, Any]] = {}
        self._changed = asyncio.Condition()
        self._beats = 0
        self._last_id = 5_000_000_000_000_000_000
        self._guilds: list[dict[str, Any]] = []
        self._runner: web.AppRunner | None = None

    # Life

    async def start(self) -> None:
        app = web.Application()
        route = app.router.add_route
        route("GET", f"{BASE}/users/@me", self._me)
        route("GET", f"{BASE}/oauth2/applications/@me", self._application)
        route("GET", f"{BASE}/gateway/bot", self._gateway_bot)
        route("GET", BASE + "/applications/{app}/commands", self._get_commands)
        route("PUT", BASE + "/applications/{app}/commands", self._put_commands)
        route("POST", f"{BASE}/users/@me/channels", self._open_dm)
        route("POST", BASE + "/channels/{channel}/messages", self._create_message)
        route("GET", BASE + "/channels/{channel}/messages", self._history)
        route("GET", BASE + "/channels/{channel}/messages/{message}", self._get_message)
        route("GET", BASE + "/channels/{channel}/messages/{message}/reactions/{emoji}", self._get_reactions)
        route("POST", BASE + "/interactions/{interaction}/{token}/callback", self._callback)
        route("POST", BASE + "/webhooks/{app}/{token}", self._follow_up)
        route("GET", "/gateway", self._gateway)
        route("GET", "/gateway/", self._gateway)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}{BASE}"
        self.gateway = f"ws://127.0.0.1:{port}/gateway"

    async def stop(self) -> None:
        for session in self.sessions.values():
            if session.socket is not None:
                await session.socket.close(code=1001)
        if self._runner is not None:
            await self._runner.cleanup()

    async def until(self, true: Callable[[], bool], within: float = 10.0) -> None:
        """Wait for a state; what changes the state says so."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(true)

    async def _say_changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # What tests do to it

    def fault(self, what: str, *kinds: str) -> None:
        """Let the next requests of a kind (dm, message, member, reactions, callback) go wrong in turn.

        Kinds: 429, 429-long, 500, 503, 403:CODE, lost (done, but the answer never arrives), ok.
        """
        self._faults.setdefault(what, deque()).extend(kinds)

    def guild(self, guild_id: int, name: str, channels: dict[int, str], category: str | None = None) -> None:
        """A server that the next session will be told of."""
        listed: list[dict[str, Any]] = [
            {**_channel(channel_id, title), "parent_id": "77" if category else None}
            for channel_id, title in channels.items()
        ]
        if category:
            listed.append({**_channel(77, category), "type": 4})
        self._guilds.append(_guild(guild_id, name, listed))

    async def dispatch(self, *events: Event, shard: int = 0) -> None:
        """Send events to the session of a shard; a session without a socket gets them when it resumes."""
        session = self._session(shard)
        for event in events:
            number = self._note(session, event)
            if session.socket is not None:
                await self._send(session.socket, 0, event[1], t=event[0], s=number)

    async def drop(self, *missed: Event, code: int = 4000, shard: int = 0) -> None:
        """Close the connection; the events happen while nobody listens."""
        session = self._session(shard)
        socket, session.socket = session.socket, None
        for event in missed:
            self._note(session, event)
        assert socket is not None
        await socket.close(code=code)

    async def invalidate(self, shard: int = 0) -> None:
        """INVALID_SESSION: forget the session; the client has to identify anew."""
        session = self._session(shard)
        del self.sessions[session.session_id]
        assert session.socket is not None
        await self._send(session.socket, 9, False)

    async def fence(self, shard: int = 0) -> None:
        """Wait until the client has read everything sent so far: it answers a heartbeat in its turn."""
        session = self._session(shard)
        before = self._beats
        assert session.socket is not None
        await self._send(session.socket, 1, None)
        await self.until(lambda: self._beats > before)

    def post(self, message_id: int, channel_id: int, author_id: int, *, webhook: bool = False) -> dict[str, Any]:
        """A message that somebody posted."""
        message = _message(message_id, channel_id, user(author_id, f"user{author_id}"), "")
        if webhook:
            message["webhook_id"] = str(author_id)
        self.messages[message_id] = message
        return message

    def react(self, message_id: int, emoji: str, *users: int, burst: bool = False) -> None:
        """Reactions that stand, as the REST interface lists them."""
        self.reactions.setdefault(message_id, {}).setdefault(emoji, {}).update(dict.fromkeys(users, int(burst)))

    def new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    @property
    def said(self) -> list[dict[str, Any]]:
        """What the bot posted, oldest first."""
        return [each for each in self.messages.values() if each["author"]["id"] == str(BOT)]

    # REST

    async def _me(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bot {self.token}":
            return _json({"message": "401: Unauthorized", "code": 0}, 401)
        return _json(user(BOT, "hub", bot=True))

    async def _application(self, _: web.Request) -> web.Response:
        return _json(
            {
                "id": str(BOT),
                "name": "hub",
                "icon": None,
                "description": "",
                "bot_public": True,
                "bot_require_code_grant": False,
                "verify_key": "0" * 64,
                "flags": 0,
                "owner": user(1, "owner"),
                "team": None,
            }
        )

    async def _gateway_bot(self, _: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
        return _json({"url": self.gateway, "shards": 1, "session_start_limit": limit})

    async def _get_commands(self, _: web.Request) -> web.Response:
        return _json(self.commands)

    async def _put_commands(self, request: web.Request) -> web.Response:
        self.registrations += 1
        self.commands = [
            {
                **command,
                "id": str(self.new_id()),
                "application_id": str(BOT),
                "version": "1",
                "description": command.get("description", ""),
                "default_member_permissions": (
                    None
                    if command.get("default_member_permissions") is None
                    else str(command["default_member_permissions"])
                ),
            }
            for command in await request.json()
        ]
        await self._say_changed()
        return _json(self.commands)

    async def _open_dm(self, request: web.Request) -> web.Response:
        if (wrong := await self._wrong("dm", request)) is not None:
            return wrong
        user_id = int((await request.json())["recipient_id"])
        await self._note_request(request)
        recipient = user(user_id, f"user{user_id}")
        return _json({"id": str(dm_of(user_id)), "type": 1, "recipients": [recipient], "last_message_id": None})

    async def _create_message(self, request: web.Request) -> web.Response:
        await self._note_request(request)
        channel_id = int(request.match_info["channel"])
        if user_of(channel_id) in self.closed_to:
            return _json({"message": "Cannot send messages to this user", "code": 50007}, 403)
        kind = self._next_fault("message")
        if kind not in ("", "lost"):
            return self._failure(kind)
        content, files = await _upload(request)
        if files and kind == "" and self.refuses_files:
            return _json({"message": "Request entity too large", "code": 40005}, 413)
        nonce = content.get("nonce")
        known = self._by_nonce.get(nonce) if content.get("enforce_nonce") else None
        message = known or {
            **_message(self.new_id(), channel_id, user(BOT, "hub", bot=True), content.get("content", "")),
            "components": content.get("components", []),
            "nonce": nonce,
            "attachments": [
                {
                    "id": str(number),
                    "filename": name,
                    "description": described,
                    "size": len(data),
                    "url": f"https://cdn.discordapp.com/attachments/{number}/{name}",
                    "proxy_url": f"https://media.discordapp.net/attachments/{number}/{name}",
                    "content_type": "image/png",
                }
                for number, (name, described, data) in enumerate(files)
            ],
        }
        if known is None:
            self.files[int(message["id"])] = [data for _, _, data in files]
        self.messages[int(message["id"])] = message
        if nonce:
            self._by_nonce[nonce] = message
        await self._say_changed()
        if kind == "lost":
            _cut(request)
        return _json(message)

    def forget_nonces(self) -> None:
        """As Discord does after some minutes."""
        self._by_nonce.clear()

    async def _history(self, request: web.Request) -> web.Response:
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 50))
        channel_id = request.match_info["channel"]
        listed = [
            each for each in self.messages.values() if each["channel_id"] == channel_id and int(each["id"]) > after
        ]
        listed.sort(key=lambda each: int(each["id"]))
        return _json([{**each, "nonce": None} for each in reversed(listed[:limit])])

    async def _get_message(self, request: web.Request) -> web.Response:
        await self._note_request(request)
        if (wrong := await self._wrong("member", request)) is not None:
            return wrong
        message = self.messages.get(int(request.match_info["message"]))
        if message is None:
            return _json({"message": "Unknown Message", "code": 10008}, 404)
        reactions = []
        for emoji, users in self.reactions.get(int(message["id"]), {}).items():
            if users:
                name, _, emoji_id = emoji.partition(":")
                burst = sum(users.values())
                reactions.append(
                    {
                        "emoji": {"name": name, "id": emoji_id or None},
                        "count": len(users),
                        "count_details": {"normal": len(users) - burst, "burst": burst},
                        "me": False,
                        "me_burst": False,
                        "burst_colors": [],
                    }
                )
        return _json({**message, "reactions": reactions})

    async def _get_reactions(self, request: web.Request) -> web.Response:
        await self._note_request(request)
        if (wrong := await self._wrong("reactions", request)) is not None:
            return wrong
        everybody = self.reactions.get(int(request.match_info["message"]), {}).get(request.match_info["emoji"], {})
        kind, after = int(request.query.get("type", 0)), int(request.query.get("after", 0))
        listed = sorted(each for each, of in everybody.items() if of == kind and each > after)
        return _json([user(each, f"user{each}") for each in listed[: int(request.query.get("limit", 25))]])

    async def _callback(self, request: web.Request) -> web.Response:
        kind = self._next_fault("callback")
        if kind not in ("", "lost"):
            return self._failure(kind)
        content = await _content(request)
        interaction = int(request.match_info["interaction"])
        self.answers.append({"interaction": interaction, **content})
        await self._say_changed()
        if kind == "lost":
            _cut(request)
        callback = {"id": str(interaction), "type": 2, "response_message_ephemeral": True}
        return _json({"interaction": callback, "resource": {"type": content["type"]}})

    async def _follow_up(self, request: web.Request) -> web.Response:
        content = await _content(request)
        self.answers.append({"token": request.match_info["token"], "type": "follow-up", "data": content})
        await self._say_changed()
        return _json(_message(self.new_id(), 1, user(BOT, "hub", bot=True), content.get("content", "")))

    async def _note_request(self, request: web.Request) -> None:
        self.requests.append((request.method, request.path))
        await self._say_changed()

    def _next_fault(self, what: str) -> str:
        faults = self._faults.get(what)
        kind = faults.popleft() if faults else ""
        return "" if kind == "ok" else kind

    async def _wrong(self, what: str, request: web.Request) -> web.Response | None:
        kind = self._next_fault(what)
        if kind == "lost":
            _cut(request)
        return self._failure(kind) if kind else None

    def _failure(self, kind: str) -> web.Response:
        status, _, code = kind.partition(":")
        if status.startswith("429"):
            seconds = 3600.0 if status == "429-long" else 0.01
            headers = {
                "Via": "1.1 google",
                "Retry-After": str(seconds),
                "X-RateLimit-Limit": "5",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset-After": str(seconds),
                "X-RateLimit-Bucket": "a bucket",
            }
            body = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
            return _json(body, 429, headers)
        return _json({"message": "as asked for", "code": int(code or 0)}, int(status))

    # Gateway

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._send(socket, 10, {"heartbeat_interval": 41_250})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            said = json.loads(frame.data)
            match said["op"]:
                case 1:
                    self._beats += 1
                    await self._send(socket, 11, None)
                    await self._say_changed()
                case 2:
                    await self._identify(socket, said["d"])
                case 6:
                    await self._resume(socket, said["d"])
        return socket

    async def _identify(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        if said["token"] != self.token:
            await socket.close(code=4004)
            return
        session = Session(f"session{self.new_id()}", said["shard"], said["intents"], socket)
        self.sessions[session.session_id] = session
        ready = {
            "v": 10,
            "user": user(BOT, "hub", bot=True),
            "guilds": [{"id": guild["id"], "unavailable": True} for guild in self._guilds],
            "session_id": session.session_id,
            "resume_gateway_url": self.gateway,
            "shard": said["shard"],
            "application": {"id": str(BOT), "flags": 0},
        }
        shard = said["shard"][0]
        await self.dispatch(("READY", ready), *(("GUILD_CREATE", each) for each in self._guilds), shard=shard)
        self.identified += 1
        await self._say_changed()

    async def _resume(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        session = self.sessions.get(said["session_id"])
        if session is None:
            await self._send(socket, 9, False)
            return
        session.socket = socket
        for number, name, data in session.sent:
            if number > said["seq"]:
                await self._send(socket, 0, data, t=name, s=number)
        await self._send(socket, 0, {}, t="RESUMED", s=session.sent[-1][0])
        self.resumed += 1
        await self._say_changed()

    def _session(self, shard: int) -> Session:
        return [each for each in self.sessions.values() if each.shard[0] == shard][-1]

    @staticmethod
    def _note(session: Session, event: Event) -> int:
        number = len(session.sent) + 1
        session.sent.append((number, *event))
        return number

    @staticmethod
    async def _send(
        socket: web.WebSocketResponse, op: int, data: object, t: str | None = None, s: int | None = None
    ) -> None:
        await socket.send_str(json.dumps({"op": op, "d": data, "t": t, "s": s}))


# The shapes that Discord uses


def user(user_id: int, name: str, *, bot: bool = False) -> dict[str, Any]:
    return {
        "id": str(user_id),
        "username": name,
        "discriminator": "0",
        "global_name": None,
        "avatar": None,
        "bot": bot,
    }


def dm_of(user_id: int) -> int:
    return user_id + 1


def user_of(channel_id: int) -> int:
    return channel_id - 1


def direct_message(message_id: int, user_id: int, text: str) -> Event:
    """A person writes to the bot."""
    return "MESSAGE_CREATE", _message(message_id, dm_of(user_id), user(user_id, f"user{user_id}"), text)


def interaction(interaction_id: int, user_id: int, data: dict[str, Any], **more: Any) -> Event:
    """A command (data with a name) or a pressed button (data with a custom_id)."""
    guild_id = more.pop("guild_id", None)
    content: dict[str, Any] = {
        "id": str(interaction_id),
        "application_id": str(BOT),
        "type": 3 if "custom_id" in data else 2,
        "data": data,
        "token": f"token{interaction_id}",
        "version": 1,
        "attachment_size_limit": 10_485_760,
        "locale": "en-US",
        "entitlements": [],
        "context": 1,
        "channel": {"id": str(dm_of(user_id)), "type": 1, "recipients": [user(user_id, f"user{user_id}")]},
        **more,
    }
    person = user(user_id, f"user{user_id}")
    if guild_id is None:
        content["user"] = person
    else:
        content |= {
            "guild_id": str(guild_id),
            "guild": {"id": str(guild_id), "features": [], "locale": "en-US"},
            "context": 0,
            "member": {"user": person, "roles": [], "permissions": "32", "flags": 0, "joined_at": None},
        }
    return "INTERACTION_CREATE", content


def _message(message_id: int, channel_id: int, author: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "id": str(message_id),
        "channel_id": str(channel_id),
        "author": author,
        "content": text,
        "timestamp": "2026-11-10T12:00:00+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "type": 0,
        "flags": 0,
    }


def _channel(channel_id: int, name: str) -> dict[str, Any]:
    return {"id": str(channel_id), "type": 0, "name": name, "position": 0, "permission_overwrites": []}


def _guild(guild_id: int, name: str, channels: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": str(guild_id),
        "name": name,
        "channels": list(channels),
        "members": [],
        "roles": [],
        "emojis": [],
        "threads": [],
        "features": [],
        "owner_id": "1",
        "unavailable": False,
        "member_count": 3,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "system_channel_flags": 0,
        "preferred_locale": "en-US",
        "afk_timeout": 0,
    }


async def _content(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        content: dict[str, Any] = await request.json()
        return content
    return dict(json.loads((await request.post())["payload_json"]))  # type: ignore[arg-type]


async def _upload(request: web.Request) -> tuple[dict[str, Any], list[tuple[str, str, bytes]]]:
    """What a message says, and the files that came with it: name, description, content.

    https://docs.discord.com/developers/reference#uploading-files
    """
    if request.content_type == "application/json":
        content: dict[str, Any] = await request.json()
        return content, []
    form = await request.post()
    content = json.loads(str(form["payload_json"]))
    files = []
    for each in content.get("attachments", ()):
        part = form[f"files[{each['id']}]"]
        assert isinstance(part, web.FileField)
        with part.file:
            files.append((each["filename"], each.get("description", ""), part.file.read()))
    return content, files


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # Exactly this type: with a charset discord.py takes the body for text.
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
    )


def _cut(request: web.Request) -> None:
    """End the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError
