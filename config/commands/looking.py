"""Subcommands that look at the set-up: doctor, connectors, keys."""

from __future__ import annotations

from dataclasses import asdict

import click

from config import keys as key_file
from config.commands import doctor as diagnosis
from config.commands import overview, show
from config.commands.desk import Desk, json_option
from config.complaints import Impossible
from config.keys import WHAT_A_LOSS_MEANS
from config.roster import found, muster


@click.command(
    short_help="Say what is set up, what is missing, and where to get it.",
)
@json_option
@click.option("--all", "everything", is_flag=True, help="Also tell how to set up networks that are off.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool, everything: bool) -> None:
    """Say what is set up and what is missing: networks, addresses, secrets, policy lights, database, keys, clock.

    Exit status 1 if something needs you.
    """
    parts = context.obj.parts
    found_out = diagnosis.examine(parts)
    if as_json:
        show.put({"findings": found_out, "networks": diagnosis.networks(parts)})
    else:
        diagnosis.print_findings(found_out)
        diagnosis.print_networks(parts, everything=everything)
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


@click.group(
    short_help="The hub's own keys: new, rotate.",
)
def keys() -> None:
    """The hub's own keys (keys.json in the data directory)."""


@keys.command()
@click.confirmation_option(prompt=f"New keys: {WHAT_A_LOSS_MEANS}. Go on?")
@click.pass_obj
def new(desk: Desk) -> None:
    """Make new keys after the old ones were lost for good."""
    path = key_file.path_in(desk.settings.hub.data_dir)
    if path.exists():
        raise Impossible(f"{path} is there; new keys are for when it is lost (`flattr keys rotate` changes one)")
    key_file.write(path, key_file.fresh())
    show.say(f"New keys are in {path}. Put it into your backups.")


@keys.command()
@click.pass_obj
def rotate(desk: Desk) -> None:
    """Put a new sealing key in front of the old ones, which still open what they sealed. Restart the hub then."""
    path = key_file.path_in(desk.settings.hub.data_dir)
    if not path.exists():
        raise Impossible(f"there is no {path} yet; the first `flattr run` makes it")
    rotated = key_file.rotated(key_file.read(path))
    key_file.write(path, rotated)
    show.say(f"{path} has {len(rotated.sealing)} sealing keys now; restart the hub, and renew your backup.")


COMMANDS = (doctor, connectors, keys)
