"""The table of connectors, for the start, for `flattr connectors` and for the README."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from config.commands import show
from config.roster import Entry
from connectors.base import Connector


def table(entries: Mapping[str, Entry]) -> Table:
    """Every connector: on or off and why, its light, the address to register; readable in 80 columns."""
    made = show.table(["network", "state", "light", "why, and the address to register"])
    made.columns[0].no_wrap = made.columns[3].no_wrap = True  # an address is there to be copied
    for entry in entries.values():
        card = entry.connector.card
        made.add_row(
            f"{escape(card.title)} [dim]({escape(card.platform)})[/]",
            "[green]on[/]" if entry.on else "[dim]off[/]",
            show.LIGHTS[card.light],
            "\n".join(escape(line) for line in (entry.why, _address(entry)) if line),
        )
    return made


def _address(entry: Entry) -> str:
    if entry.connector.card.pretend:
        return ""
    return entry.address or "nothing to register: the hub calls them"


def facts(entry: Entry) -> dict[str, Any]:
    """Everything that is not secret, for programs."""
    card = entry.connector.card
    return {
        "platform": card.platform,
        "title": card.title,
        "on": entry.on,
        "why": entry.why,
        "light": card.light,
        "lights": card.lights,
        "address": entry.address or None,
        "route": card.route,
        "abilities": card.abilities,
        "what_counts": card.what_counts,
        "creator": card.creator,
        "secrets": {each.name: each.name in entry.secrets for each in card.secrets},
        "off_actions": entry.off_actions,
        "documentation": card.documentation,
    }


def markdown(connectors: Mapping[str, Connector]) -> str:
    """The README's table: real networks first, in the order of their titles."""
    cards = sorted((each.card for each in connectors.values()), key=lambda card: (card.pretend, card.title))
    lines = ["| Network | What counts | Who receives | Talks by DM | Light |", "|---|---|---|---|---|"]
    for card in cards:
        name = f"{card.title} (pretend)" if card.pretend else f"[{card.title}]({card.documentation})"
        talks = "yes" if "messages" in card.abilities else "no"
        cells = (name, _sentence(card.what_counts), _sentence(card.creator), talks, card.light)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return text[:1].upper() + text[1:]
