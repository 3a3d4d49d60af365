"""Subcommands about what platforms sent: list, show, replay."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import click

from config.commands import replaying, show
from config.commands.desk import Desk, json_option
from core.mail import inbox as mail
from core.mail.sealing import Unsealable
from core.mail.tables import InboxItem
from webhooks.packing import unpack

_STATES = ("waiting", "done", "dead")


@click.group(
    short_help="What platforms sent: list, show, replay.",
)
def inbox() -> None:
    """What platforms sent, as received: list, show, replay."""


@inbox.command("list", epilog="\b\nExample:\n  flattr inbox list --state dead")
@click.option("--state", type=click.Choice(_STATES), help="Only deliveries in this state.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The latest so many.")
@json_option
@click.pass_obj
def list_(desk: Desk, state: str | None, limit: int, *, as_json: bool) -> None:
    """List deliveries, the latest first."""
    with desk.parts.db.reading() as tx:
        items, counts = mail.listing(tx, state, limit), mail.counts(tx)
    if as_json:
        show.put({"counts": counts, "deliveries": [_facts(item) for item in items]})
        return
    show.print_table(
        f"{counts.done} done, {counts.waiting} waiting, {counts.dead} dead",
        ["id", "platform", "received (UTC)", "state", "events", "repeats", "why"],
        [
            (
                item.id,
                item.platform,
                f"{item.received_at:%Y-%m-%d %H:%M:%S}",
                item.state,
                item.events,
                item.repeats,
                item.error or "",
            )
            for item in items
        ],
        right=["id", "events", "repeats"],
    )


@inbox.command("show", epilog="\b\nExample:\n  flattr inbox show 17")
@click.argument("number", type=int, metavar="ID")
@json_option
@click.pass_obj
def show_(desk: Desk, number: int, *, as_json: bool) -> None:
    """Show one delivery with its text, as long as that is kept; it may hold personal data."""
    parts = desk.parts
    with parts.db.reading() as tx:
        item = mail.find(tx, number)
    facts = _facts(item)
    if item.sealed is None:
        facts["text"] = None
        facts["about_text"] = "purged, or nothing in it was about a member"
    else:
        try:
            delivery = unpack(parts.seal.open(item.sealed), item.received_at)
            facts["headers"] = {name: list(values) for name, values in delivery.headers.items()}
            facts["body_sha256"] = hashlib.sha256(delivery.body).hexdigest()  # noted only once it is worked off
            facts["text"] = delivery.body.decode(errors="replace")
        except (Unsealable, ValueError) as error:
            facts["text"] = None
            facts["about_text"] = str(error)
    if as_json:
        show.put(facts)
        return
    for name, value in facts.items():
        show.say(f"{name + ':':13} {json.dumps(value) if isinstance(value, dict) else value}")


@inbox.command(
    epilog="""\b
Examples:
  flattr inbox replay --dry-run        what replaying every dead letter would change
  flattr inbox replay 17 18            replay two
"""
)
@click.argument("numbers", type=int, nargs=-1, metavar="[ID...]")
@click.option("--dry-run", is_flag=True, help="Do it, print what it changes, and take it all back.")
@json_option
@click.pass_obj
def replay(desk: Desk, numbers: tuple[int, ...], *, dry_run: bool, as_json: bool) -> None:
    """Take dead letters up again (all of them, unless named), after what killed them was mended."""
    outcome = replaying.replay(desk.parts, numbers or None, dry_run=dry_run)
    if as_json:
        show.put(outcome)
        return
    if not outcome.replayed:
        show.say("There is no dead letter to replay.")
        return
    would = "would be" if dry_run else "were"
    show.say(f"{outcome.replayed} {would} replayed: {outcome.done} done, {outcome.dead} dead again.")
    for number, why in outcome.why.items():
        show.say(f"  {number} is dead again: {why}")
    for name, (before, after) in outcome.changes.items():
        show.say(f"  {name}: {before} -> {after}")
    if not outcome.changes:
        show.say("  Nothing else changes.")


def _facts(item: InboxItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "platform": item.platform,
        "received_at": item.received_at,
        "state": item.state,
        "events": item.events,
        "repeats": item.repeats,
        "done_at": item.done_at,
        "error": item.error,
        "error_hash": item.error_hash,
        "body_sha256": item.body_hash,
    }


COMMANDS = (inbox,)
