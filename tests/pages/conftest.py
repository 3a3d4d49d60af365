"""A whole hub on loopback with the sandbox on, and a browser to look at its page with."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from config import clock as clocks
from config.compose import Hub
from config.listening import listen
from config.parts import Parts, assemble
from config.settings import HubSection, SandboxSection, Settings

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True)
class Stage:
    """The running hub and the address of its page."""

    hub: Hub
    parts: Parts
    url: str


@pytest.fixture
async def stage(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Stage]:
    """The hub as `flattr run` starts it, on 10 November 2026, once every creator of the cast has joined."""
    data = tmp_path / "var"
    data.mkdir()
    shutil.copyfile(sqlite_template, data / "hub.db")
    settings = Settings(
        hub=HubSection(port=0, data_dir=data, log_level="error"), sandbox=SandboxSection(enabled="true")
    )
    listener = listen(settings)
    still = datetime(2026, 11, 10, 12, tzinfo=UTC)
    clock = clocks.SandboxClock(clocks.path_in(data), source=lambda: still)
    parts = await asyncio.to_thread(assemble, listener.settings, clock=clock)
    hub = Hub(parts)
    await hub.start(listener)
    assert hub.network is not None
    await hub.network.send(hub.intake.receive)
    await hub.settle()
    yield Stage(hub, parts, f"http://127.0.0.1:{listener.settings.hub.port}")
    await hub.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The machine's own Chromium, without a screen."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine; install the package chromium to run the browser tests")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        await chromium.close()
