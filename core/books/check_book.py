#!/usr/bin/env python3
"""Checks a Flattr Hub's book without the hub: that nothing in it was changed, and that a receipt is in it.

    python check_book.py 2026-11.json 2026-12.json
    python check_book.py 2026-11.json --receipt 2026-11-77 --amount 3.15 --salt 9f3c...
    python check_book.py 2026-11.json --statement statement.json

A book is a month's file as the hub publishes it. Several are checked as following each other. Keep the files that you
once downloaded: a hub that changed its past can not make a book that follows them.

A receipt, its amount and its salt are on your statement; a statement's JSON has them all, and --statement checks each.
Ends with 0 if all is well, 1 if something is not, 2 if it could not be read. Needs Python 3.9 and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

FORMAT = "flattr-hub-book/1"
START = "0" * 64
_HASH = re.compile("[0-9a-f]{64}")


class Unreadable(Exception):
    """A file or an argument that is not what it should be."""


def main(words: list[str] | None = None) -> int:
    """Check what the command line names; the exit status."""
    head, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=head, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("books", nargs="+", metavar="BOOK.json", help="months' books, as downloaded")
    parser.add_argument("--receipt", help="a receipt's number, like 2026-11-77")
    parser.add_argument("--amount", help="its amount in the hub's currency, like 3.15 or 0.072581")
    parser.add_argument("--salt", help="its salt, 64 hex digits")
    parser.add_argument("--statement", metavar="FILE", help="a statement's JSON: every receipt of it is looked for")
    given = parser.parse_args(words)
    one = (given.receipt, given.amount, given.salt)
    if any(one) and not all(one):
        parser.error("--receipt, --amount and --salt belong together")
    try:
        books = [read(path) for path in given.books]
        wrong = list(wrong_with(books))
        for each in wrong:
            print("WRONG  " + each)
        if not wrong:
            count = sum(len(batch["commitments"]) for book in books for batch in book["batches"])
            print(f"{', '.join(book['month'] for book in books)}: {count} postings, and the chain holds.")
            print(f"It begins at {books[0]['start']} and ends at {books[-1]['end']}.")
        where = {value: book["month"] for book in books for batch in book["batches"] for value in batch["commitments"]}
        months = {book["month"] for book in books}
        if given.receipt:
            text = f"share|{given.receipt}|{micros(given.amount)}|{books[0]['currency']}"
            wrong += look(where, months, {"text": text, "salt": given.salt, "book": ""})
        if given.statement:
            found = list(proofs(load(given.statement)))
            if not found:
                raise Unreadable(f"{given.statement} has no receipt with a salt; take the statement's JSON")
            for line, proof in found:
                wrong += contradictions(line, proof) + look(where, months, proof)
    except Unreadable as error:
        print(f"check_book: {error}", file=sys.stderr)
        return 2
    return 1 if wrong else 0


def load(path: str) -> Any:
    """A JSON file's content."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Unreadable(f"{path} is not JSON; download it again") from None


def read(path: str) -> dict[str, Any]:
    """A book, its form checked."""
    book = load(path)
    if not isinstance(book, dict) or book.get("format") != FORMAT:
        raise Unreadable(f"{path} is not a month's book ({FORMAT})")
    texts = [book.get(name) for name in ("month", "currency", "start", "end")]
    batches = book.get("batches")
    if not all(isinstance(each, str) for each in texts) or not isinstance(batches, list) or not batches:
        raise Unreadable(f"{path} is damaged; download it again")
    for batch in batches:
        if not isinstance(batch, dict) or not isinstance(batch.get("number"), int):
            raise Unreadable(f"{path} is damaged; download it again")
        values = batch.get("commitments")
        if not isinstance(values, list) or not all(isinstance(v, str) and _HASH.fullmatch(v) for v in values):
            raise Unreadable(f"{path} is damaged: batch {batch['number']} has something that is no commitment")
    return book


def wrong_with(books: list[dict[str, Any]]) -> Iterator[str]:
    """What does not hold, in words."""
    number, end, last = None, None, None
    for book in books:
        name = book["month"]
        if last is not None and (book["start"] != end or name <= last):
            yield f"the book of {name} does not follow that of {last}; is one between them missing?"
            number = None
        follows = book["start"]
        for batch in book["batches"]:
            head = f"{FORMAT}\n{batch.get('previous')}\n{batch['number']}\n{name}\n".encode()
            digest = hashlib.sha256(head + bytes.fromhex("".join(batch["commitments"]))).hexdigest()
            if batch.get("previous") != follows or (number is not None and batch["number"] != number + 1):
                yield f"batch {batch['number']} of {name} does not follow the one before it"
            if (batch.get("previous") == START) != (batch["number"] == 1):
                yield f"batch {batch['number']} of {name} is not the first, or the first is not where it should be"
            if digest != batch.get("hash"):
                yield f"batch {batch['number']} of {name} has another hash than its commitments"
            follows, number = batch.get("hash"), batch["number"]
        if book["end"] != follows:
            yield f"the book of {name} does not end where its last batch does"
        end, last = book["end"], name


def micros(amount: str) -> int:
    """``3.15`` as millionths."""
    try:
        value = Decimal(amount.replace(",", ".")) * 1_000_000
        if value == int(value):
            return int(value)
    except (InvalidOperation, OverflowError, ValueError):
        pass
    raise Unreadable(f"{amount!r} is not an amount; write it like 3.15, without a currency")


def proofs(value: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every line of a statement that carries a proof, and the proof."""
    if isinstance(value, dict):
        proof = value.get("proof")
        if isinstance(proof, dict) and {"text", "salt"} <= set(proof):
            yield value, proof
        for each in value.values():
            yield from proofs(each)
    elif isinstance(value, list):
        for each in value:
            yield from proofs(each)


def contradictions(line: dict[str, Any], proof: dict[str, Any]) -> list[str]:
    """Where a statement's line says something else than its own proof."""
    said = str(proof["text"]).split("|")
    amount = line.get("micros", line["amount"].get("micros") if isinstance(line.get("amount"), dict) else None)
    if ("receipt" in line and line["receipt"] not in said) or (amount is not None and str(amount) not in said):
        wrong = f"the statement's line {line.get('receipt', said[1:2])} says something else than its proof"
        print("WRONG  " + wrong)
        return [wrong]
    return []


def look(where: dict[str, str], months: set[str], proof: dict[str, Any]) -> list[str]:
    """Find one posting in the books; what is wrong if it is not there."""
    text, salt = str(proof["text"]), str(proof["salt"]).strip().lower()
    if not _HASH.fullmatch(salt):
        raise Unreadable(f"{salt!r} is not a salt: it has 64 hex digits")
    value = hashlib.sha256(bytes.fromhex(salt) + text.encode()).hexdigest()
    if value in where:
        print(f"FOUND  {text} in the book of {where[value]}")
        return []
    book = proof.get("book")
    if book is None:
        print(f"LATER  {text} was not sealed yet when this statement was made; take its JSON again in an hour")
        return [text]
    why = "" if book in months else f"; it should be in the book of {book}" if book else ""
    print(f"WRONG  {text} is not in these books with this salt{why}")
    return [text]


if __name__ == "__main__":
    sys.exit(main())
