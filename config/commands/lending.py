"""Subcommand with which the operator lends the hub its bot's account on a network."""

from __future__ import annotations

import click
from sqlmodel import Session

from config.commands import show
from config.commands.desk import Desk
from config.complaints import Impossible, closest
from config.networks.roster import Entry
from config.parts import Parts
from core.access import grants, visits
from core.access.visits import LIFE
from core.events import AccountRef


@click.command(
    "sign-in",
    short_help="Lend the hub its bot's account on a network.",
    epilog="""\b
Example:
  flattr sign-in twitter
""",
)
@click.argument("network")
@click.pass_obj
def sign_in(desk: Desk, network: str) -> None:
    """Print an address at which you sign in as the bot's account on NETWORK, while the hub runs.

    The hub speaks and reads its messages as that account from then on. The address is good once.
    """
    parts = desk.parts
    able = _with_bots(parts)
    if network not in able:
        entry = parts.entries.get(network)
        reason = entry.why if entry is not None and not entry.on else "no bot signs in there"
        raise Impossible(f"{network}: {reason}; {closest(network, able) if able else 'no network that is on needs it'}")
    if not able[network].settings.get("bot"):
        raise Impossible(f"connectors.{network}.bot names no account; set it to the bot's id, and start the hub again")
    with parts.db.transaction() as tx:
        token = visits.begin(tx, by=None, platform=network, intent="bot", at=parts.clock())
    show.say(f"{parts.settings.hub.address}/link/{token}")
    show.say(
        f"Open it in a browser within {LIFE.total_seconds() / 60:.0f} minutes, signed in on"
        f" {able[network].connector.card.title} as the bot's own account; the hub must be running."
    )


def _with_bots(parts: Parts) -> dict[str, Entry]:
    """The networks that are on where the bot is an account of its own, named in the settings."""
    return {
        name: entry
        for name, entry in parts.on.items()
        if entry.can("linking") and "bot" in entry.connector.card.settings
    }


def unlent(tx: Session, parts: Parts) -> list[str]:
    """Where a bot's account is named in the settings and has not lent the hub its access."""
    return [
        name
        for name, entry in _with_bots(parts).items()
        if (bot := entry.settings.get("bot")) and grants.load(tx, AccountRef(platform=name, account_id=bot)) is None
    ]


COMMANDS = (sign_in,)
