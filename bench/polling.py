"""Reads 10,000 accounts on four networks in one process: budgets, stalls, memory, and what of the likes was seen.

Run: python -m bench.polling [--accounts 10000] [--minutes 9] [--scale 20] [--json]. The hub's own client, access
keeper, engine and books (SQLite on disk) are one process, the tests' fakes of Vimeo, Flickr, Dailymotion and SoundCloud
another. All time of both passes ``scale`` times as fast. Prints figures; nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.counted import fullest, scarce, seen, show, told_windows
from bench.networks import NETWORKS, START, TOKEN, Clock, Network, chosen, serve
from bot.access import AccessKeeper, Signed
from bot.polling import engine, lane
from bot.polling.engine import Polling
from bot.polling.parts import Polled
from connectors.base import Asker
from connectors.client import Client
from connectors.outgoing.errand import Asked
from core.database import Database, execute_many, to_micros
from core.listings import keeping, state
from core.mail.sealing import Seal, new_key
from core.money import currency
from core.rules import Rules

TICK = 0.01
"""Seconds between two beats of the task that measures stalls."""


def fill(db: Database, seal: Seal, networks: Sequence[Network], fans: int) -> None:
    """Persons, their accounts and their access; what is to be read the engine finds out by itself."""
    at = to_micros(START)
    persons, accounts, access = [], [], []
    for place, network in enumerate(networks):
        for number in range(fans):
            grant, row = network.grant(number), 1 + place * fans + number
            given = grant.expires_at - (network.lives or TOKEN) if grant.expires_at else START
            ends = to_micros(grant.expires_at) if grant.expires_at else None
            persons.append((row, at, False))
            accounts.append((row, network.name, grant.account.account_id, row, at))
            access.append((row, seal.seal(grant.packed()), ends, to_micros(given), 0))
    with db.transaction() as tx:
        execute_many(tx, "insert into person (id, created_at, bears_cost) values (?, ?, ?)", persons)
        names = "(id, platform, account_id, person_id, linked_at)"
        execute_many(tx, f"insert into account {names} values (?, ?, ?, ?, ?)", accounts)
        names = "(account_id, sealed, expires_at, given_at, version)"
        execute_many(tx, f"insert into access {names} values (?, ?, ?, ?, ?)", access)


class Watch(logging.Handler):
    """What the hub's process does: beats of its loop, readings, what went wrong, who waits."""

    def __init__(self, db: Database, clock: Clock, networks: Sequence[Network]) -> None:
        super().__init__(logging.INFO)
        self.db, self.clock = db, clock
        self.late: list[float] = []
        self.readings: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.due: dict[str, list[tuple[float, int]]] = {network.name: [] for network in networks}

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in ("bot", "core") or record.levelno > logging.INFO:
            self.errors[f"{record.name}: {record.getMessage()}"[:110]] += 1

    def asked(self, asked: Asked) -> None:
        # 404 is a platform's word about a like that was taken back.
        if asked.outcome != "answered" or ((asked.status or 0) >= 400 and asked.status != 404):
            self.errors[f"{asked.platform}: {asked.outcome} {asked.status or ''}".strip()] += 1

    def count(self) -> None:
        """Count the readings that get into the books."""
        finish = keeping.finish

        def counted(tx: Any, rules: Any, reading: Any, *given: Any, **more: Any) -> Any:
            finished = finish(tx, rules, reading, *given, **more)
            self.readings[reading.claimed.account.platform] += 1
            return finished

        keeping.finish = counted

    async def beat(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            self.late.append((time.perf_counter() - began - TICK) * 1000)

    async def look(self) -> None:
        while True:
            at = self.clock.ticks()
            for each in await asyncio.to_thread(self._figures):
                self.due[each.platform].append((at, each.due))
            await self.clock.sleep(60)

    def _figures(self) -> list[state.Figures]:
        with self.db.reading() as tx:
            return state.figures(tx, self.clock.now())


def hub(answer: Connection, url: str, key: bytes, origin: Any, scale: float, minutes: float, places: Any) -> None:
    """The process: everything that a hub needs to read, and nothing else."""
    db, clock, networks = Database(url), Clock(origin, scale), chosen(tuple(places))
    watch = Watch(db, clock, networks)
    logging.basicConfig(level=logging.INFO, handlers=[watch])
    watch.count()
    # The engine's own pauses are the only times that nobody hands in.
    engine.LOOK, lane.LOOK, engine.SYNC = engine.LOOK / scale, lane.LOOK / scale, engine.SYNC / scale

    async def main() -> None:
        cards = {network.name: network.connector.card for network in networks}
        client = Client(
            clock=clock.now,
            ticks=clock.ticks,
            sleep=clock.sleep,
            hub="https://hub.example",
            allowances={name: card.allowance for name, card in cards.items()},
            account_allowances={name: card.account_allowance for name, card in cards.items() if card.account_allowance},
            observe=watch.asked,
        )
        askers = {network.name: _asker(network, places, client, clock) for network in networks}
        access = AccessKeeper(
            db=db,
            seal=Seal([key]),
            platforms={each.name: Signed(connector=each.connector, asker=askers[each.name]) for each in networks},
            clock=clock.now,
            holder="bench",
            sleep=clock.sleep,
        )
        polling = Polling(
            db=db,
            rules=Rules(money=currency("EUR"), pseudonym_key=b"bench"),
            platforms={each.name: Polled(connector=each.connector, asker=askers[each.name]) for each in networks},
            access=access,
            clock=clock.now,
            sleep=clock.sleep,
        )
        watching = [asyncio.create_task(watch.beat()), asyncio.create_task(watch.look())]
        running = asyncio.create_task(polling.run())
        await asyncio.wait([running], timeout=minutes * 60)
        used = resource.getrusage(resource.RUSAGE_SELF)
        if running.done():
            running.result()
        for task in watching:
            task.cancel()
        await polling.close()
        await access.close()
        await client.close()
        late = sorted(watch.late)
        answer.send(
            {
                "memory": used.ru_maxrss / 1024,
                "cpu": (used.ru_utime + used.ru_stime) / (minutes * 60),
                "late": (late[len(late) // 2], late[len(late) * 99 // 100], late[-1]),
                "readings": watch.readings,
                "errors": watch.errors,
                "due": watch.due,
            }
        )

    asyncio.run(main())
    db.dispose()


def _asker(network: Network, places: Mapping[str, Any], client: Client, clock: Clock) -> Asker:
    settings, secrets = places[network.name]
    given = {name: (value.encode(),) for name, value in secrets.items()}
    return Asker(client=client, secrets=given, settings=settings, clock=clock.now)


def measure(folder: Path, names: Sequence[str], fans: int, minutes: float, scale: float) -> dict[str, Any]:
    """All figures of one run, on the disk of ``folder``."""
    context, networks, key = multiprocessing.get_context("spawn"), chosen(names), new_key()
    origin = context.Value("d", 0.0, lock=False)
    theirs, there = context.Pipe()
    fakes = context.Process(target=serve, args=(there, origin, scale, fans, names), daemon=True)
    fakes.start()
    db = Database(f"sqlite:///{folder}/hub.db")
    db.migrate()
    fill(db, Seal([key]), networks, fans)
    places = theirs.recv()
    ours, here = context.Pipe()
    reader = context.Process(target=hub, args=(here, str(db.url), key, origin, scale, minutes, places), daemon=True)
    origin.value = time.monotonic()
    theirs.send("begin")
    reader.start()
    here.close()  # so that a hub that fails is heard of
    told = ours.recv()
    end = Clock(origin, scale).now()
    reader.join()
    theirs.send("end")
    asked = theirs.recv()
    fakes.join()
    platforms = {}
    for network in networks:
        (arrivals, given), allowance = asked[network.name], network.connector.card.allowance
        platforms[network.name] = {
            "budget": (allowance.requests, allowance.seconds),
            "asked": len(arrivals),
            "windows": told_windows(arrivals, allowance.seconds, minutes * 60 * scale),
            "fullest": fullest(arrivals, allowance.seconds),
            "least_while_due": scarce(arrivals, allowance.seconds, told["due"][network.name]),
            "due_at_the_end": told["due"][network.name][-1][1],
            "readings": told["readings"][network.name],
            **seen(db, network, given, end),
        }
    db.dispose()
    return {"scale": scale, "passed": str(timedelta(minutes=minutes * scale)), "platforms": platforms} | {
        name: told[name] for name in ("memory", "cpu", "late", "errors")
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=9.0, help="of real time")
    parser.add_argument("--scale", type=float, default=20.0, help="how much faster time passes")
    names = [network.name for network in NETWORKS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NETWORK")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the database is made (a real disk)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=given.folder) as name:
        figures = measure(Path(name), given.only, given.accounts // len(NETWORKS), given.minutes, given.scale)
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        show(figures)


if __name__ == "__main__":
    main()
