"""Subcommands that run something: the hub, the demo, the benchmarks."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import click

from config import demo as playing
from config.commands import serving, show, telling
from config.commands.desk import json_option
from config.complaints import Impossible, closest

_ROOT = Path(__file__).resolve().parents[2]


@click.command(
    short_help="Start the hub.",
    epilog="""\b
Examples:
  flattr run
  flattr --config /etc/flattr.toml run
  FLATTR__HUB__PORT=9000 FLATTR__HUB__DATA_DIR=/var/lib/flattr flattr run
""",
)
@click.pass_context
def run(context: click.Context) -> None:
    """Start the hub: webhooks, bot, scheduler and pages in one process. Ctrl-C or SIGTERM stops it.

    The first start makes the database and the keys in hub.data_dir. Months close by themselves, also those that
    ended while the hub was down.
    """
    if not serving.serve(context.obj.settings):
        context.exit(1)


@click.command(
    short_help="Play a month (and the next payout run) without a person, and prove every figure.",
)
@json_option
@click.pass_context
def demo(context: click.Context, *, as_json: bool) -> None:
    """Play a month without a person, and the next one's payout run: likes over real HTTP, bot, closing, proof.

    Money of a patron's first month waits one payout run longer, so the creators are paid a month later.
    Runs on a temporary database and a free port; your settings and data are not touched. Exit status 1 if any
    figure is off.
    """
    story = playing.play()
    if as_json:
        show.put(telling.as_data(story))
    else:
        telling.tell(story)
    if not story.right:
        context.exit(1)


@click.command(short_help="Measure intake, closing and polling.", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def bench(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Measure intake, closing and polling; needs a source checkout with its development tools (`make bench`).

    ARGUMENTS are names of benchmarks (default: all), then options for them: flattr bench intake --json
    """
    folder = _ROOT / "bench"
    known = {path.stem for path in folder.glob("[!_]*.py")} if folder.is_dir() else set()
    if not known:
        raise Impossible(f"there are no benchmarks at {folder}; run this in a source checkout of flattr-hub")
    names = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments))
    for name in names:
        if name not in known:
            raise click.UsageError(f"no benchmark named {name}: {closest(name, known)}")
    worst = 0
    for name in names or sorted(known):
        command = [sys.executable, "-m", f"bench.{name}", *arguments[len(names) :]]
        worst = max(worst, subprocess.run(command, cwd=_ROOT, check=False).returncode)  # noqa: S603 - our own modules
    context.exit(worst)


COMMANDS = (run, demo, bench)
