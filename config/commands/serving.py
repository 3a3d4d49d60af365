"""Runs a hub as a process: start-up table, signals, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable

from rich.markup import escape

from config.clock import SandboxClock
from config.commands import overview, show
from config.compose import Hub
from config.listening import Listener, listen
from config.parts import Parts, assemble
from config.settings import Settings

log = logging.getLogger("flattr")


def serve(settings: Settings) -> bool:
    """Run until SIGTERM or Ctrl-C; False if a part of the hub ended by a bug.

    Misconfigured and DatabaseUnavailable say in one line why it cannot start.
    """
    listener = listen(settings)
    with contextlib.closing(listener.socket):
        parts = assemble(listener.settings)
        return asyncio.run(_serve(parts, listener))


async def _serve(parts: Parts, listener: Listener) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stopper(stop, loop, number))
    hub = Hub(parts)
    try:
        await hub.start(listener)
        announce(parts)
        waits = [asyncio.create_task(each.wait()) for each in (stop, hub.ended)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
    finally:
        log.info("stopping: what was taken is finished first")
        await hub.close()
        log.info("stopped")
    return not hub.ended.is_set()


def _stopper(stop: asyncio.Event, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> Callable[[], None]:
    def asked() -> None:
        stop.set()
        loop.remove_signal_handler(number)  # asked again, the process ends at once; the database can take it

    return asked


def announce(parts: Parts) -> None:
    """Print what runs: every connector, on or off and why, its light, what to register, the page to open."""
    console = show.console()
    hub = parts.settings.hub
    console.print("\n[bold]Flattr Hub[/] is running. Ctrl-C stops it.\n")
    console.print(overview.table(parts.entries))
    for broken in parts.broken:
        console.print(f"[red]![/] {escape(str(broken))}", soft_wrap=True)
    lines = [
        ("page to open", f"{hub.address}/"),
        ("database", parts.db.url.render_as_string(hide_password=True)),
        ("money", f"{parts.rules.money.code}, payments: {parts.gateway.name}" + _pretend(parts)),
    ]
    if isinstance(parts.clock, SandboxClock) and parts.clock.skipped:
        lines.append(("clock", f"{parts.clock():%Y-%m-%d %H:%M} UTC: the sandbox has skipped time"))
    if not parts.on:
        lines.append(("next", "no network is on; `flattr doctor` says how to set one up"))
    for name, text in lines:
        console.print(f"  [dim]{name:13}[/] {escape(text)}", soft_wrap=True)
    console.print()


def _pretend(parts: Parts) -> str:
    return " (pretend: no real money moves)" if parts.gateway.pretend else ""
