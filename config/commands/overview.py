"""The table of connectors, for the start, for `flattr connectors` and for the README."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from config.commands import show
from config.networks.roster import Entry
from connectors.base import Ability, Connector

_WORKS: Mapping[Ability, str] = {
    "likes": "likes",
    "unlikes": "unlikes",
    "messages": "DM",
    "linking": "sign-in",
    "resolves": "addresses",
}
"""Abilities in a word each; that some likes can be asked about is nobody's concern here."""


def table(entries: Mapping[str, Entry]) -> Group:
    """Every connector: on or off and why, and its light, in 80 columns; below it the addresses to register."""
    made = show.table(["network", "state", "light", "why"])
    for column in made.columns[:3]:
        column.no_wrap = True
    register = [Text("Addresses to register at the networks:", style="dim")]
    for entry in entries.values():
        card = entry.connector.card
        same = card.platform == card.title.casefold()
        made.add_row(
            escape(card.title) + ("" if same else f" [dim]({escape(card.platform)})[/]"),
            "[green]on[/]" if entry.on else "[dim]off[/]",
            show.LIGHTS[card.light],
            escape(entry.why),
        )
        addresses = [] if card.pretend else [each for each in (entry.address, entry.callback) if each]
        # Never wrapped: an address is there to be copied.
        register += [Text(f"  {each}", no_wrap=True, overflow="ignore") for each in addresses]
    return Group(made, *register, Text()) if len(register) > 1 else Group(made)


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
        "callback": entry.callback or None,
        "route": card.route,
        "limits": card.limits,
        "costs": card.costs,
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
    lines = ["| Network | What counts | Who receives | What works | Limits | Light |", "|---|---|---|---|---|---|"]
    for card in cards:
        name = f"{card.title} (pretend)" if card.pretend else f"[{card.title}]({card.documentation})"
        works = ", ".join(word for ability, word in _WORKS.items() if ability in card.abilities)
        limits = ". ".join(_sentence(each.partition(". ")[0]) for each in (card.limits, card.costs) if each)
        cells = (name, _sentence(card.what_counts), _sentence(card.creator), works, limits, card.light)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return text[:1].upper() + text[1:]
