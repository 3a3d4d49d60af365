"""Measures what durability costs: the intake against a bare route that verifies the HMAC and answers 204.

Both are served by aiohttp in a process of their own, loaded in turn by the same client in another process: 64
connections that stay open, 6 KB bodies, each signed and each different. `python -m bench.intake` takes about 20 s.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

from bench.load import BODY, CONNECTIONS, SECRET, run_load
from connectors.base import Answer, Card, Delivery, Rejected, Secrets
from core.database import Database
from core.events import Event
from core.mail import inbox
from core.mail.sealing import Seal, new_key
from webhooks import journal
from webhooks.intake import ConfiguredWebhook, Intake
from webhooks.server import add_routes, runner_options

GOAL = 0.5
GOAL_P99_MS = 100.0


class BenchConnector:
    """A platform that signs its bodies as GitHub does, and nothing else."""

    card = Card(platform="bench", title="Bench", route="webhook", abilities=frozenset(), what_counts="", creator="")

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        return None

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        given = delivery.header("x-hub-signature-256")
        wanted = "sha256=" + hmac.new(secrets["secret"][0], delivery.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode(errors="replace"), wanted.encode()):
            raise Rejected("the signature does not fit the body")
        return hashlib.sha256(delivery.body).hexdigest()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        return ()


async def _bare(request: web.Request) -> web.Response:
    body = await request.read()
    wanted = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", "").encode(), wanted.encode()):
        return web.Response(status=401)
    return web.Response(status=204)


async def _serve(app: web.Application, ready: Connection) -> None:
    runner = web.AppRunner(app, **runner_options())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ready.send(runner.addresses[0][1])
    await asyncio.to_thread(ready.recv)  # the word to stop
    await runner.cleanup()


def serve_bare(ready: Connection) -> None:
    """A process: the route that only verifies."""
    app = web.Application()
    app.router.add_post("/webhooks/bench", _bare)
    asyncio.run(_serve(app, ready))


def serve_durable(ready: Connection, folder: str) -> None:
    """A process: the hub's intake, with its log line a delivery written to a file."""
    journal.write_to((Path(folder) / "deliveries.log").open("w"))
    db = Database(f"sqlite:///{folder}/hub.db")
    db.migrate()

    async def main() -> None:
        webhook = ConfiguredWebhook(connector=BenchConnector(), secrets={"secret": (SECRET,)})
        intake = Intake(db, {"bench": webhook}, Seal([new_key()]), lambda: datetime.now(UTC))
        intake.start()
        app = web.Application()
        add_routes(app, intake, db=db)
        await _serve(app, ready)
        await intake.close()

    asyncio.run(main())
    db.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round gave: deliveries a second, and milliseconds."""

    rate: float
    p50: float
    p99: float
    statuses: dict[bytes, int]


def _round(port: int, seconds: float) -> Round:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run_load, args=(port, seconds, theirs))
    process.start()
    statuses, latencies, took = ours.recv()
    process.join()
    latencies.sort()
    return Round(
        rate=len(latencies) / took,
        p50=latencies[len(latencies) // 2] * 1000,
        p99=latencies[len(latencies) * 99 // 100] * 1000,
        statuses=statuses,
    )


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, where the system tells."""
    best, kind = "", "unknown"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, point, name, *_ = line.split()
            if folder.resolve().is_relative_to(point) and len(point) >= len(best):
                best, kind = point, name
    return kind


def fsync_ms(folder: Path, times: int = 200) -> tuple[float, float]:
    """Median and 99th percentile of appending 4 KB and syncing, in milliseconds."""
    path = folder / "fsync"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - begun) * 1000)
    path.unlink()
    took.sort()
    return took[times // 2], took[times * 99 // 100]


def measure(folder: Path, rounds: int, seconds: float) -> dict[str, object]:
    """All figures of one run, on the disk of ``folder``."""
    median_fsync, worst_fsync = fsync_ms(folder)
    context = multiprocessing.get_context("spawn")
    ports, words, servers = {}, {}, []
    for name, target, arguments in (("bare", serve_bare, ()), ("durable", serve_durable, (str(folder),))):
        ours, theirs = multiprocessing.Pipe()
        server = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        server.start()
        servers.append(server)
        ports[name], words[name] = ours.recv(), ours
    results: dict[str, list[Round]] = {"bare": [], "durable": []}
    try:
        for port in ports.values():
            _round(port, 0.5)  # to warm up
        for _ in range(rounds):
            for name, port in ports.items():
                results[name].append(_round(port, seconds))
    finally:
        for name, server in zip(words, servers, strict=True):
            words[name].send("stop")
            server.join()
    db = Database(f"sqlite:///{folder}/hub.db")
    with db.reading() as tx:
        stored = inbox.counts(tx).stored
    db.dispose()
    bare, durable = results["bare"], results["durable"]
    if any(set(each.statuses) != {b"204"} for each in bare) or any(set(each.statuses) != {b"202"} for each in durable):
        raise SystemExit(f"unexpected answers: {[each.statuses for each in (*bare, *durable)]}")
    return {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "file_system": file_system(folder),
        "fsync_ms": round(median_fsync, 3),
        "fsync_p99_ms": round(worst_fsync, 3),
        "connections": CONNECTIONS,
        "body_bytes": BODY,
        "rounds": rounds,
        "bare_per_second": round(statistics.median(each.rate for each in bare)),
        "durable_per_second": round(statistics.median(each.rate for each in durable)),
        "ratio": round(statistics.median(d.rate / b.rate for d, b in zip(durable, bare, strict=True)), 3),
        "ratios": [round(d.rate / b.rate, 3) for d, b in zip(durable, bare, strict=True)],
        "bare_p50_ms": round(statistics.median(each.p50 for each in bare), 1),
        "bare_p99_ms": round(max(each.p99 for each in bare), 1),
        "durable_p50_ms": round(statistics.median(each.p50 for each in durable), 1),
        "durable_p99_ms": round(max(each.p99 for each in durable), 1),
        "acknowledged": sum(sum(each.statuses.values()) for each in durable),
        "stored": stored,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and exit 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.25, help="how long a round takes")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the database is made (a real disk)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=given.folder) as name:
        figures = measure(Path(name), given.rounds, given.seconds)
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.write(
            "durable intake: {connections} connections, {body_bytes} byte bodies, {rounds} rounds each\n"
            "  environment  Python {python}, {cpus} CPUs, {file_system}, fsync {fsync_ms} ms (p99 {fsync_p99_ms})\n"
            "  bare         {bare_per_second} a second, p50 {bare_p50_ms} ms, p99 {bare_p99_ms} ms\n"
            "  durable      {durable_per_second} a second, p50 {durable_p50_ms} ms, p99 {durable_p99_ms} ms\n"
            "  ratio        {ratio} (each round: {ratios})\n"
            "  kept         {acknowledged} acknowledged in the rounds, {stored} stored with the warm-up\n".format(
                **figures
            )
        )
        if figures["file_system"] in ("tmpfs", "ramfs"):
            sys.stdout.write("  warning      this is a memory file system: durability looks free; use --folder\n")
    met = float(str(figures["ratio"])) >= GOAL and float(str(figures["durable_p99_ms"])) < GOAL_P99_MS
    return 0 if met and int(str(figures["stored"])) >= int(str(figures["acknowledged"])) else 1


if __name__ == "__main__":
    sys.exit(main())
