"""The `flattr` command: its subcommands, and how errors in set-up are said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from config.commands import inbox, lending, looking, people, running
from config.commands.desk import Desk
from config.commands.money import books, holds, months, paying, payments, tariff
from config.complaints import Impossible, Misconfigured, one_line
from core.database import Busy, DatabaseUnavailable

EXAMPLES = """
\b
First steps:
  flattr run                          start the hub; its page lets you play a month
  flattr demo                         play a month without a person, with proof
  flattr doctor                       what is set up, what is missing, and where to get it

\b
At the month's end:
  flattr months                       which month is at which stage
  flattr close --dry-run              what closing the open month would charge and share
  flattr check                        prove the books
  flattr reconcile                    hold them against Stripe's own account

\b
Settings come from flattr.toml (see flattr.toml.example) and from the environment, which wins:
  FLATTR__HUB__PORT=9000 flattr run
"""


INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it."""


class Hints(click.Group):
    """A group whose errors in set-up are one line each, with exit status 2."""

    def invoke(self, context: click.Context) -> Any:
        """Run the subcommand; what the operator can mend is said in one line, a bug keeps its traceback."""
        try:
            return super().invoke(context)
        except (Misconfigured, DatabaseUnavailable) as error:
            _complain(str(error))
            context.exit(2)
        except KeyboardInterrupt:
            context.exit(INTERRUPTED)
        except (Impossible, Busy, LookupError) as error:
            if isinstance(error, KeyError | IndexError):
                raise
            _complain(str(error))
            context.exit(1)


@click.group(
    cls=Hints,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The settings' file; default: $FLATTR_CONFIG, else ./flattr.toml if there is one.",
)
@click.version_option(package_name="flattr-hub", prog_name="flattr")
@click.pass_context
def flattr(context: click.Context, path: Path | None) -> None:
    """Flattr Hub turns a like into money for the person who made the thing."""
    context.obj = Desk(path)
    context.call_on_close(context.obj.close)


for _group in (
    running.COMMANDS,
    looking.COMMANDS,
    people.COMMANDS,
    lending.COMMANDS,
    months.COMMANDS,
    inbox.COMMANDS,
    books.COMMANDS,
    holds.COMMANDS,
    paying.COMMANDS,
    payments.COMMANDS,
    tariff.COMMANDS,
):
    for _command in _group:
        flattr.add_command(_command)


def _complain(text: str) -> None:
    print(f"flattr: {one_line(text)}", file=sys.stderr)
