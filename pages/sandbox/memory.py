"""What the pretend networks remember, in a file of their own: people, posts, likes, chats, deliveries."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sandbox import SandboxConnector, harbour, square
from connectors.speaking import Button, Picture
from pages.sandbox.cast import Player

NETWORKS: Mapping[str, SandboxConnector] = {each.platform: each for each in (square, harbour)}

_SCHEMA = """
create table if not exists person (
    platform text, id text, name text not null, about text not null, place integer not null,
    primary key (platform, id));
create table if not exists work (
    platform text, id text, author text not null, kind text not null, title text not null, text text not null,
    art text not null, tags text not null, posted_at text not null, removed integer not null default 0,
    primary key (platform, id));
create table if not exists liking (
    platform text, work text, person text, primary key (platform, work, person));
create table if not exists message (
    id integer primary key autoincrement, platform text not null, person text not null, bot integer not null,
    text text not null, buttons text not null, key text unique, at text not null);
create index if not exists message_by_person on message (platform, person, id);
create table if not exists picture (message integer primary key, alt text not null, content blob not null);
create table if not exists delivery (
    id integer primary key autoincrement, platform text not null, body blob not null,
    attempts integer not null default 0, refused integer);
create table if not exists counter (name text primary key, value integer not null);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Something posted, as one person sees it: with the number of likes, and whether their own is one."""

    platform: str
    id: str
    url: str
    author: Player
    kind: str
    title: str
    text: str
    art: str
    tags: tuple[str, ...]
    posted_at: datetime
    likes: int
    liked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message between a person and the bot."""

    id: int
    from_bot: bool
    text: str
    buttons: tuple[Button, ...]
    at: datetime
    picture: str | None = None
    """What its picture shows, in words; None: it has none."""


class NoSuch(LookupError):
    """A pretend person or post that isn't there (any more); the text says which."""


class Memory:
    """The file; every method may be called from any thread, and the file outlives the process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._lock = threading.RLock()
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._file.execute("pragma journal_mode=wal")
        self._file.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; one at a time."""
        with self._lock:
            self._file.execute("begin immediate")
            try:
                yield self._file
            except BaseException:
                self._file.execute("rollback")
                raise
            self._file.execute("commit")

    def players(self) -> tuple[Player, ...]:
        """Everybody on both networks, in the order of the cast."""
        with self._lock:
            rows = self._file.execute("select platform, id, name, about from person order by place").fetchall()
        return tuple(Player(platform=row[0], id=row[1], name=row[2], about=row[3]) for row in rows)

    def posts(self, platform: str, person: str) -> tuple[Post, ...]:
        """A network's posts, newest first, as one person sees them."""
        with self._lock:
            rows = self._file.execute(
                "select work.id, kind, title, text, art, tags, posted_at, person.id, name, about,"
                " (select count(*) from liking where liking.platform = work.platform and work = work.id),"
                " exists (select 1 from liking where liking.platform = work.platform and work = work.id"
                "         and liking.person = ?)"
                " from work join person on person.platform = work.platform and person.id = author"
                " where work.platform = ? and not removed order by posted_at desc, work.id desc",
                (person, platform),
            ).fetchall()
        return tuple(
            Post(
                platform=platform,
                id=row[0],
                url=NETWORKS[platform].thing(row[0]).url,
                kind=row[1],
                title=row[2],
                text=row[3],
                art=row[4],
                tags=tuple(json.loads(row[5])),
                posted_at=datetime.fromisoformat(row[6]).astimezone(UTC),
                author=Player(platform=platform, id=row[7], name=row[8], about=row[9]),
                likes=row[10],
                liked=bool(row[11]),
            )
            for row in rows
        )

    def messages(self, platform: str, person: str, limit: int = 60) -> tuple[Message, ...]:
        """The latest messages between a person and the bot, oldest first."""
        with self._lock:
            rows = self._file.execute(
                "select id, bot, text, buttons, at, alt from message left join picture on picture.message = id"
                " where platform = ? and person = ? order by id desc limit ?",
                (platform, person, limit),
            ).fetchall()
        return tuple(
            Message(
                id=row[0],
                from_bot=bool(row[1]),
                text=row[2],
                buttons=tuple(Button(label=label, text=text) for label, text in json.loads(row[3])),
                at=datetime.fromisoformat(row[4]).astimezone(UTC),
                picture=row[5],
            )
            for row in reversed(rows)
        )

    def picture(self, message: int) -> bytes | None:
        """The picture of a message, as PNG; None if it has none."""
        with self._lock:
            row = self._file.execute("select content from picture where message = ?", (message,)).fetchone()
        return bytes(row[0]) if row else None

    def waiting(self) -> list[tuple[int, str, bytes]]:
        """Number, platform and body of the deliveries that the hub has yet to answer for good, in order."""
        with self._lock:
            return self._file.execute(
                "select id, platform, body from delivery where refused is null order by id"
            ).fetchall()


def keep_message(
    tx: sqlite3.Connection,
    to: Player,
    text: str,
    *,
    at: datetime,
    key: str | None = None,
    buttons: Sequence[Button] = (),
    picture: Picture | None = None,
) -> None:
    """Add a message to a chat: the person's own (without a key), or the bot's, once per key."""
    shown = json.dumps([(each.label, each.text) for each in buttons])
    kept = tx.execute(
        "insert or ignore into message (platform, person, bot, text, buttons, key, at) values (?, ?, ?, ?, ?, ?, ?)",
        (to.platform, to.id, key is not None, text, shown, key, at.isoformat()),
    )
    if picture is not None and kept.rowcount:
        values = (kept.lastrowid, picture.alt, picture.content)
        tx.execute("insert into picture (message, alt, content) values (?, ?, ?)", values)


def find_player(tx: sqlite3.Connection, platform: str, person: str) -> Player:
    """A person by id; NoSuch if there is none."""
    row = tx.execute("select name, about from person where platform = ? and id = ?", (platform, person)).fetchone()
    if row is None:
        raise NoSuch(f"nobody on {platform} is called {person}")
    return Player(platform=platform, id=person, name=row[0], about=row[1])


def find_work(tx: sqlite3.Connection, platform: str, number: str) -> tuple[dict[str, Any], Player]:
    """A post as deliveries name it, with its author; NoSuch if there is none."""
    row = tx.execute(
        "select title, tags, author from work where platform = ? and id = ? and not removed",
        (platform, number),
    ).fetchone()
    if row is None:
        raise NoSuch(f"there is no post {number} on {platform}")
    return {"id": number, "title": row[0], "tags": json.loads(row[1])}, find_player(tx, platform, row[2])


def following(tx: sqlite3.Connection, name: str) -> int:
    """The next number of a counter; never the same twice."""
    row = tx.execute(
        "insert into counter values (?, 1) on conflict (name) do update set value = value + 1 returning value",
        (name,),
    ).fetchone()
    return int(row[0])
