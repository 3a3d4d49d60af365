"""Subcommands that look at the set-up: doctor, connectors, keys."""

from __future__ import annotations

from dataclasses import asdict

import click

from config import keys as key_file
from config.commands import overview, show
from config.commands.desk import Desk, json_option
from config.commands.diagnosis import examining, findings, instructions, processing, trying
from config.commands.keyring import keys
from config.networks.roster import found, muster
from config.payments.processor import hosted


@click.command(
    short_help="Say what is set up, what is missing, and where to get it.",
)
@json_option
@click.option("--all", "everything", is_flag=True, help="Also tell how to set up networks that are off.")
@click.option("--offline", is_flag=True, help="Ask no network whether it takes what was set up.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool, everything: bool, offline: bool) -> None:
    """Say what is set up and what is missing: networks, addresses, secrets, policy lights, database, keys, clock.

    Asks the networks that are on whether they take the secrets and addresses; nothing there is changed.
    Exit status 1 if something is broken.
    """
    parts = context.obj.parts
    found_out = examining.examine(parts)
    if not offline:
        found_out += [*trying.networks(parts), *processing.try_out(parts)]
    paying = hosted(parts.gateway) is not None
    if as_json:
        destinations = processing.destinations(parts) if paying else []
        show.put({"findings": found_out, "networks": instructions.networks(parts), "stripe": destinations})
    else:
        findings.print_findings(found_out)
        if paying or everything:
            processing.print_destinations(parts)
        instructions.print_networks(parts, everything=everything)
    if any(finding.state == "broken" for finding in found_out):
        context.exit(1)


@click.command(
    short_help="List the networks: on or off and why.",
)
@json_option
@click.option("--markdown", is_flag=True, help="The README's table, from the cards alone.")
@click.pass_obj
def connectors(desk: Desk, *, as_json: bool, markdown: bool) -> None:
    """Print the table of connectors: on or off and why, what counts, policy lights, addresses."""
    if markdown:
        click.echo(overview.markdown(found()[0]), nl=False)
        return
    known, broken = found()
    entries = muster(desk.settings, known, key_file.fresh())
    if as_json:
        shown = [overview.facts(entry) for entry in entries.values()]
        show.put({"connectors": shown, "broken": [asdict(each) for each in broken]})
        return
    show.console().print(overview.table(entries))
    for each in broken:
        show.say(f"! {each}")


COMMANDS = (doctor, connectors, keys)
