"""Subcommands that hand the books out: the month's book, the export of a person, of the ledger."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from config.commands import show
from config.commands.desk import Desk, MonthName, json_option, person_id
from config.complaints import Impossible
from core.books import batches, beancount, month_book
from core.people import exporting
from core.periods import month_name

output_option = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write into this file; default: standard output.",
)


class _Books(click.Group):
    """A group in which a month is a command too."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """``flattr book 2026-11`` is ``flattr book export 2026-11``."""
        if args and args[0][:1].isdigit():
            args = ["export", *args]
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Books,
    short_help="The month's book: seal, check, hand out.",
    subcommand_metavar="MONTH | COMMAND [ARGS]...",
    epilog="""\b
Examples:
  flattr book 2026-11 --output 2026-11.json    the public file
  flattr book list                             which books there are
  flattr book seal                             seal what is posted and not sealed yet
""",
)
def book() -> None:
    """The month's book: every posting as a salted commitment, in hash-chained batches.

    The file names nobody and tells no amount. The script that checks it without the hub is core/books/check_book.py;
    the hub hands both out under /book.
    """


@book.command()
@click.argument("month", type=MonthName(), metavar="MONTH")
@output_option
@click.pass_obj
def export(desk: Desk, month: int, output: Path | None) -> None:
    """Hand out the book of MONTH as the public file."""
    parts = desk.parts
    _write(month_book.pieces(parts.db, month, parts.rules.money), output)


@book.command("list")
@json_option
@click.pass_obj
def list_(desk: Desk, *, as_json: bool) -> None:
    """List the books, the oldest first."""
    parts = desk.parts
    with parts.db.reading() as tx:
        found, open_ = month_book.books(tx), batches.unsealed(tx)
    if as_json:
        show.put({"books": found, "unsealed": open_})
        return
    show.print_table(
        "Books",
        ["month", "batches", "postings", "ends at"],
        [(month_name(each.month), each.batches, each.postings, each.end) for each in found],
        right=["batches", "postings"],
    )
    if open_:
        show.say(f"{open_} postings are not sealed yet; the running hub does it, or `flattr book seal`.")


@book.command()
@json_option
@click.pass_obj
def seal(desk: Desk, *, as_json: bool) -> None:
    """Seal what is posted and not sealed yet; a running hub does this by itself."""
    parts = desk.parts
    total = 0
    while True:
        with parts.db.transaction() as tx:
            sealed = batches.seal(tx, parts.keys.book, parts.rules.money, parts.clock())
        if not sealed:
            break
        total += sealed
    if as_json:
        show.put({"sealed": total})
        return
    show.say(f"{total} postings were sealed." if total else "Everything is sealed.")


@click.command(
    "export",
    short_help="Hand out the ledger, or all about one person.",
    epilog="""\b
Examples:
  flattr export --beancount --output ledger.beancount     then: bean-check ledger.beancount
  flattr export discord:80351110224678912                 all that the hub knows about them, as JSON
""",
)
@click.argument("person", required=False, metavar="[PERSON]")
@click.option("--beancount", "ledger", is_flag=True, help="The whole ledger, for plain-text accounting.")
@output_option
@click.pass_obj
def export_(desk: Desk, person: str | None, output: Path | None, *, ledger: bool) -> None:
    """Hand out the whole ledger as a Beancount file, or all that the hub knows about PERSON.

    PERSON is a person's number or one of their accounts (PLATFORM:ACCOUNT_ID).
    """
    if (person is None) != ledger:
        raise click.UsageError("name a person, or say --beancount for the whole ledger")
    parts = desk.parts
    with parts.db.reading() as tx:
        if ledger:
            _write(beancount.lines(tx, parts.rules.money, pretend=parts.gateway.pretend), output)
            return
        found = exporting.export(tx, parts.rules, person_id(parts, tx, person or ""), parts.clock())
    _write([show.as_json(found) + "\n"], output)


def _write(pieces: Iterable[str], output: Path | None) -> None:
    """Into the file, which only its owner can read; Impossible if it cannot be written."""
    try:
        with contextlib.ExitStack() as stack:
            to = sys.stdout
            for number, piece in enumerate(pieces):  # what there is not is said before a file is made
                if output is not None and number == 0:
                    output.touch(mode=0o600)
                    to = stack.enter_context(output.open("w", encoding="utf-8"))
                to.write(piece)
    except OSError as error:
        raise Impossible(f"cannot write {output or 'standard output'}: {error.strerror}") from None


COMMANDS = (book, export_)
"""Their names, as the root command adds them."""
