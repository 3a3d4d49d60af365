"""How each network is set up: what to create there, with the addresses filled in, for people and for programs."""

from __future__ import annotations

from functools import reduce
from typing import Any

from rich.markup import escape
from rich.table import Table

from config.commands import show
from config.networks.roster import Entry
from config.parts import Parts


def networks(parts: Parts) -> list[dict[str, Any]]:
    """What there is to do for each real network, for programs."""
    return [
        {
            "platform": name,
            "on": entry.on,
            "why": entry.why,
            "address": entry.address or None,
            "callback": entry.callback or None,
            "steps": steps(entry),
            "secrets": [
                {"setting": f"connectors.{name}.{each.name}", "how": each.how, "given": each.name in entry.secrets}
                for each in entry.connector.card.secrets
            ],
            "lights": entry.connector.card.lights,
        }
        for name, entry in parts.entries.items()
        if not entry.connector.card.pretend
    ]


def steps(entry: Entry) -> list[str]:
    """What to create where, with the addresses filled in."""
    filled = {"{address}": entry.address or "(none)", "{callback}": entry.callback or "(none)"}
    return [
        reduce(lambda text, mark: text.replace(mark, filled[mark]), filled, each) for each in entry.connector.card.setup
    ]


def print_networks(parts: Parts, *, everything: bool) -> None:
    """How to set up each network, for those that are configured (or all of them)."""
    console = show.console()
    hidden = []
    for entry in parts.entries.values():
        card = entry.connector.card
        if card.pretend:
            continue
        if not everything and not entry.configured and parts.on:
            hidden.append(card.title)
            continue
        state = "[green]on[/]" if entry.on else f"off: {escape(entry.why)}"
        console.print(f"[bold]{escape(card.title)}[/]  {state}")
        console.print(_instructions(entry))
        console.print()
    if hidden:
        console.print(f"Off: {escape(', '.join(hidden))}. `flattr doctor --all` tells how to set them up.")


def _instructions(entry: Entry) -> Table:
    card = entry.connector.card
    made = Table.grid(padding=(0, 1, 0, 2))
    made.add_column()
    made.add_column(overflow="fold")
    for number, step in enumerate(steps(entry), 1):
        made.add_row(f"{number}.", escape(step))
    for secret in card.secrets:
        given = "given" if secret.name in entry.secrets else "[yellow]missing[/]" if secret.required else "optional"
        made.add_row("*", f"connectors.{card.platform}.{secret.name}: {given}. {escape(secret.how)}")
    for light in card.lights:
        clause = f"{escape(light.action)}: {escape(light.clause)}\n{escape(light.url)} (read {light.read_on})"
        made.add_row(show.LIGHTS[light.colour].split()[0] + "[/]", f"{light.colour}, {clause}")
    return made
