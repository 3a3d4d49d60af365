"""The pretend networks' own house: they keep what their people do and tell the hub, as real platforms would.

The hub learns of it only through signed deliveries, and they learn of the hub only through what its bot says.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.base import Answer, Delivery
from connectors.sandbox import SIGNATURE, body_of
from connectors.speaking import Button, Mouth, Picture, Unheard
from pages.sandbox.cast import PLAYERS, WORKS, Player, Work
from pages.sandbox.memory import NETWORKS, Memory, NoSuch, find_player, find_work, following, keep_message

Deliver = Callable[[str, Delivery], Awaitable[Answer]]
"""How a delivery reaches the hub: the same intake that answers the HTTP route."""

LONGEST = 2000
"""Characters in one message, as many as real networks allow."""


class SandboxNetwork:
    """Both networks, over one file; every synchronous method may be called from any thread.

    ``secrets`` are the signing secrets of the networks that are on; ``clock`` is the sandbox's. A new file is
    filled with the cast and its posts, and those creators who join have written `claim` to the bot.
    """

    def __init__(self, path: Path, *, secrets: Mapping[str, bytes], clock: Callable[[], datetime]) -> None:
        self._secrets = {platform: secrets[platform] for platform in NETWORKS if platform in secrets}
        self._clock = clock
        self._sending = asyncio.Lock()
        self.memory = Memory(path)
        with self.memory.transaction() as tx:
            if not tx.execute("select 1 from person").fetchone():
                self._settle_in(tx)

    def close(self) -> None:
        """Close the file."""
        self.memory.close()

    def _settle_in(self, tx: sqlite3.Connection) -> None:
        tx.executemany(
            "insert into person values (?, ?, ?, ?, ?)",
            [(each.platform, each.id, each.name, each.about, place) for place, each in enumerate(PLAYERS)],
        )
        for work in reversed(WORKS):
            self._add(tx, work)
        for each in PLAYERS:
            if each.joins:
                self._write(tx, each, "claim")

    def players(self) -> tuple[Player, ...]:
        """Everybody on the networks that are on, in the order of the cast."""
        return tuple(each for each in self.memory.players() if each.platform in self._secrets)

    def waiting(self) -> list[tuple[int, str, bytes]]:
        """Number, platform and body of what the hub has yet to take."""
        return [each for each in self.memory.waiting() if each[1] in self._secrets]

    def like(self, platform: str, person: str, number: str, *, liked: bool) -> None:
        """A person likes a post, or takes it back; what is so already is not told again."""
        with self.memory.transaction() as tx:
            by = find_player(tx, platform, person)
            thing, author = find_work(tx, platform, number)
            if liked:
                change = "insert or ignore into liking (platform, work, person) values (?, ?, ?)"
            else:
                change = "delete from liking where platform = ? and work = ? and person = ?"
            if tx.execute(change, (platform, number, person)).rowcount:
                event = {"by": _account(by), "thing": thing, "author": _account(author)}
                order = following(tx, "order")
                self._tell(tx, platform, "liked" if liked else "unliked", {**event, "order": order})

    def write(self, platform: str, person: str, text: str) -> None:
        """A person sends the bot a direct message."""
        with self.memory.transaction() as tx:
            self._write(tx, find_player(tx, platform, person), text)

    def post(self, platform: str, person: str, title: str, text: str) -> str:
        """A person posts a text; answers its id."""
        with self.memory.transaction() as tx:
            author = find_player(tx, platform, person)
            work = Work(platform=platform, author=person, kind="text", title=title, text=text, hours=0)
            number = self._add(tx, work)
            self._tell(tx, platform, "posted", {"thing": {"id": number, "title": title}, "author": _account(author)})
            return number

    def remove(self, platform: str, person: str, number: str) -> None:
        """A person deletes a post of their own; NoSuch if it is not theirs."""
        with self.memory.transaction() as tx:
            thing, author = find_work(tx, platform, number)
            if author.id != person:
                raise NoSuch(f"{number} is not {person}'s to remove")
            tx.execute("update work set removed = 1 where platform = ? and id = ?", (platform, number))
            self._tell(tx, platform, "removed", {"thing": thing})

    def _write(self, tx: sqlite3.Connection, by: Player, text: str) -> None:
        keep_message(tx, by, text, at=self._clock())
        self._tell(tx, by.platform, "messaged", {"by": _account(by), "text": text})

    def _add(self, tx: sqlite3.Connection, work: Work) -> str:
        number = f"{work.author}/{following(tx, f'{work.platform}:{work.author}')}"
        posted_at = self._clock() - timedelta(hours=work.hours)
        tx.execute(
            "insert into work (platform, id, author, kind, title, text, art, tags, posted_at)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                work.platform,
                number,
                work.author,
                work.kind,
                work.title,
                work.text,
                work.art,
                json.dumps(work.tags),
                posted_at.isoformat(),
            ),
        )
        return number

    def _tell(self, tx: sqlite3.Connection, platform: str, kind: str, event: Mapping[str, Any]) -> None:
        # Written down in the same transaction as what happened: whatever people did, the hub will hear of it.
        whole = {"id": f"e{following(tx, 'event')}", "type": kind, "at": self._clock().isoformat(), **event}
        tx.execute("insert into delivery (platform, body) values (?, ?)", (platform, body_of(platform, [whole])))

    async def send(self, deliver: Deliver) -> int:
        """Deliver everything that waits, oldest first; answers how many deliveries still wait.

        While the hub is away (5xx) the rest is kept and sent again next time; what it refuses for good (4xx)
        is kept aside with the status.
        """
        async with self._sending:
            away: set[str] = set()
            for number, platform, body in await asyncio.to_thread(self.waiting):
                if platform in away:
                    continue
                answer = await deliver(platform, self.delivery(platform, body))
                if _try_again(answer.status):
                    away.add(platform)
                await asyncio.to_thread(self._answered, number, answer.status)
            return len(await asyncio.to_thread(self.waiting))

    def delivery(self, platform: str, body: bytes) -> Delivery:
        """One signed delivery as the hub receives it now."""
        now = self._clock()
        signature = NETWORKS[platform].sign(body, self._secrets[platform], now)
        headers = {"content-type": ("application/json",), SIGNATURE: (signature,)}
        return Delivery(method="POST", path=f"/webhooks/{platform}", headers=headers, body=body, received_at=now)

    def _answered(self, number: int, status: int) -> None:
        with self.memory.transaction() as tx:
            if status < 300:
                tx.execute("delete from delivery where id = ?", (number,))
            else:
                tx.execute(
                    "update delivery set attempts = attempts + 1, refused = ? where id = ?",
                    (None if _try_again(status) else status, number),
                )

    def mouth(self, platform: str) -> Mouth:
        """How the hub's bot speaks on one of the networks."""
        return _SandboxMouth(self, platform)

    def hear(
        self, platform: str, person: str, text: str, *, key: str, buttons: Sequence[Button], picture: Picture | None
    ) -> None:
        """The bot says something to a person; the same key again shows nothing new."""
        with self.memory.transaction() as tx:
            to = find_player(tx, platform, person)
            keep_message(tx, to, text, at=self._clock(), key=f"{platform}:{key}", buttons=buttons, picture=picture)


@dataclass(frozen=True, slots=True)
class _SandboxMouth:
    """The bot's account on one pretend network."""

    network: SandboxNetwork
    platform: str
    limit: int = LONGEST
    remembers_keys: bool = True

    async def say(
        self,
        account_id: str,
        text: str,
        *,
        key: str,
        buttons: Sequence[Button] = (),
        picture: Picture | None = None,
    ) -> None:
        """Show a message in the person's chat, once per key; Unheard for good if there is no such person."""
        hear = self.network.hear
        try:
            await asyncio.to_thread(hear, self.platform, account_id, text, key=key, buttons=buttons, picture=picture)
        except NoSuch as missing:
            raise Unheard(str(missing), final=True) from missing


def _try_again(status: int) -> bool:
    return status >= 500 or status in (408, 429)


def _account(player: Player) -> dict[str, str]:
    return {"id": player.id, "name": player.name}
