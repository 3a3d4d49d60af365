"""The months' books as everybody can download them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from core.books import batches, month_book
from core.database import Database
from core.rules import Rules
from pages.book import add_routes
from tests.scene import Scene

KEY = bytes(32)
AT = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
async def hub(db: Database, rules: Rules) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    add_routes(app, db, rules.money)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
        yield client
    await runner.cleanup()


@pytest.fixture
async def sealed(db: Database, rules: Rules) -> Scene:
    """One share in the book of December."""

    def play() -> Scene:
        scene = Scene(db, rules, AT)
        scene.creator("maker")
        scene.patron("ada", 10)
        scene.like("ada", "song")
        scene.close_month()
        with db.transaction() as tx:
            assert batches.seal(tx, KEY, rules.money, scene.at, chunk=2) == 2
        with db.transaction() as tx:
            assert batches.seal(tx, KEY, rules.money, scene.at) == 1
        return scene

    return await asyncio.to_thread(play)


async def test_the_list_says_so_when_nothing_is_sealed(hub):
    async with hub.get("/book") as response:
        assert response.status == 200
        assert "Nothing is sealed yet" in await response.text()


async def test_what_is_downloaded_checks_and_finds_the_receipt(hub, sealed, tmp_path: Path):
    async with hub.get("/book") as response:
        assert "/book/2026-12.json" in await response.text()
    for name in ("2026-12.json", "check_book.py"):
        async with hub.get(f"/book/{name}") as response:
            assert response.status == 200
            (tmp_path / name).write_bytes(await response.read())

    def salt() -> str:
        with sealed.db.reading() as tx:
            proofs = month_book.proofs(tx, KEY, sealed.rules.money, [("share", "flattr:1")])
        return proofs["share", "flattr:1"].salt

    words = ["--receipt", "2026-11-1", "--amount", "9", "--salt", await asyncio.to_thread(salt)]
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "check_book.py", "2026-12.json", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "FOUND" in run.stdout


async def test_everybody_may_keep_a_book_and_nobody_gets_a_cookie(hub, sealed):
    for path in ("/book", "/book/2026-12.json", "/book/check_book.py"):
        async with hub.get(path) as response:
            assert "public" in response.headers["Cache-Control"]
            assert "Set-Cookie" not in response.headers
            assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with hub.get("/book/2026-12.json") as response:
        tag, book = response.headers["ETag"], json.loads(await response.text())
    assert tag.strip('"') == book["end"]
    async with hub.get("/book/2026-12.json", headers={"If-None-Match": tag}) as response:
        assert response.status == 304
    async with hub.head("/book/2026-12.json") as response:
        assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize("name", ["2026-11.json", "2026-13.json", "0000-01.json", "../keys.json", "2026-12"])
async def test_there_is_nothing_else(hub, sealed, name):
    async with hub.get(f"/book/{name}") as response:
        assert response.status == 404
