"""The month's public book, and the script that checks it without the hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.books import batches, check_book, month_book
from core.periods import parse_month
from tests.core.books.busy import post_some
from tests.scene import Scene

KEY = bytes(range(32))
NOVEMBER, DECEMBER = parse_month("2026-11"), parse_month("2026-12")


@pytest.fixture
def sealed(scene: Scene) -> Scene:
    """Ada's November and December, sealed: one flattr each month, three batches and more."""
    scene.creator("maker")
    scene.patron("ada", 10)
    scene.like("ada", "song")
    scene.close_month()  # charged in December
    for tune in ("tune", "air"):
        while seal(scene, chunk=2):
            pass
        scene.like("ada", tune)
        scene.close_month()
    return scene


def seal(scene: Scene, **how) -> int:
    with scene.db.transaction() as tx:
        return batches.seal(tx, KEY, scene.rules.money, scene.at, **how)


def book(scene: Scene, month: int = DECEMBER) -> dict[str, Any]:
    return month_book.export(scene.db, month, scene.rules.money)


def proof(scene: Scene, flattr: int = 1) -> month_book.Proof:
    asked = [("share", f"flattr:{flattr}"), ("charge", "statement:1"), ("share", "flattr:999")]
    with scene.db.reading() as tx:
        found = month_book.proofs(tx, KEY, scene.rules.money, asked)
    assert ("share", "flattr:999") not in found
    assert found["charge", "statement:1"].text == "charge|statement:1|10000000|EUR"
    return found["share", f"flattr:{flattr}"]


@pytest.fixture
def check(tmp_path: Path, capsys):
    def run(*words: object) -> tuple[int, str]:
        files = []
        for number, word in enumerate(words):
            if isinstance(word, dict | list):
                path = tmp_path / f"{number}.json"
                path.write_text(json.dumps(word))
                word = path
            files.append(str(word))
        status = check_book.main(files)
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_the_file_names_nobody_and_tells_no_amount(sealed):
    made = book(sealed)
    assert set(made) == {"format", "currency", "month", "start", "batches", "end"}
    assert (made["format"], made["currency"], made["month"]) == ("flattr-hub-book/1", "EUR", "2026-12")
    for batch in made["batches"]:
        assert set(batch) == {"number", "previous", "hash", "commitments"}
        assert all(len(each) == 64 for each in batch["commitments"])
    assert [len(batch["commitments"]) for batch in made["batches"]] == [2, 1]


def test_there_is_no_book_of_a_month_without_postings(sealed):
    with pytest.raises(LookupError, match=r"no book of 2026-11; sealed so far: 2026-12, 2027-01"):
        book(sealed, NOVEMBER)


def test_a_proof_knows_in_which_book_it_is(sealed):
    assert proof(sealed).text == "share|2026-11-1|9000000|EUR"
    assert proof(sealed).book == DECEMBER
    assert proof(sealed, 2).book == DECEMBER + 1
    assert proof(sealed, 3).book is None  # collected, and not sealed yet


def test_a_download_is_as_it_was_when_it_began(sealed):
    with sealed.db.reading() as tx:
        known = month_book.find(tx, DECEMBER + 1)
    post_some(sealed, 1, 5, at=sealed.at.replace(month=1, day=31))
    assert seal(sealed)
    pieces = month_book.pieces(sealed.db, DECEMBER + 1, sealed.rules.money, until=known)
    assert json.loads("".join(pieces))["end"] == known.end
    with sealed.db.transaction() as tx:  # the world's books are checked at the end; these mean nothing
        tx.connection().exec_driver_sql("delete from sealed_posting where posting_id in"
                                        " (select id from posting where kind = 'odd')")  # fmt: skip
        tx.connection().exec_driver_sql("delete from posting where kind = 'odd'")


# The script


def test_a_book_as_published_holds(sealed, check):
    status, said = check(book(sealed))
    assert status == 0
    assert "2026-12: 3 postings, and the chain holds." in said


def test_books_that_follow_each_other_hold_and_others_do_not(sealed, check):
    first, second = book(sealed), book(sealed, DECEMBER + 1)
    assert check(first, second)[0] == 0
    assert check(second)[0] == 0
    assert check(second, first)[0] == 1
    assert check(first, {**second, "start": "0" * 64})[0] == 1


def test_a_receipt_is_found_with_its_salt_and_not_without(sealed, check):
    made, salt = book(sealed), proof(sealed).salt
    status, said = check(made, "--receipt", "2026-11-1", "--amount", "9.00", "--salt", salt)
    assert status == 0
    assert "FOUND  share|2026-11-1|9000000|EUR in the book of 2026-12" in said
    assert check(made, "--receipt", "2026-11-1", "--amount", "9.01", "--salt", salt)[0] == 1
    assert check(made, "--receipt", "2026-11-2", "--amount", "9", "--salt", salt)[0] == 1
    assert check(made, "--receipt", "2026-11-1", "--amount", "9", "--salt", "0" * 64)[0] == 1


def test_every_receipt_of_a_statement_is_looked_for(sealed, check):
    line = {"receipt": "2026-11-1", "amount": {"amount": "9.00 EUR", "micros": 9_000_000}}
    statement = {"lines": [{**line, "proof": proof(sealed).data()}]}
    assert check(book(sealed), "--statement", statement)[0] == 0
    statement["lines"].append({"receipt": "2026-12-2", "micros": 9_000_000, "proof": proof(sealed, 2).data()})
    status, said = check(book(sealed), "--statement", statement)
    assert status == 1
    assert "it should be in the book of 2027-01" in said
    assert check(book(sealed), book(sealed, DECEMBER + 1), "--statement", statement)[0] == 0


def test_what_was_not_sealed_yet_is_not_called_wrong(sealed, check):
    line = {"receipt": "2026-11-1", "proof": {**proof(sealed).data(), "salt": "0" * 64, "book": None}}
    status, said = check(book(sealed), "--statement", [line])
    assert (status, "WRONG" in said) == (1, False)
    assert "LATER  share|2026-11-1|9000000|EUR was not sealed yet" in said


@pytest.mark.parametrize("lie", [{"receipt": "2026-11-9"}, {"amount": {"micros": 8_000_000}}, {"micros": 1}])
def test_a_statement_that_says_something_else_than_its_proof_is_wrong(sealed, check, lie):
    line = {"receipt": "2026-11-1", "proof": proof(sealed).data(), **lie}
    status, said = check(book(sealed), "--statement", [line])
    assert status == 1
    assert "says something else than its proof" in said


def test_whatever_is_changed_in_a_book_shows(sealed, check):
    made = book(sealed)
    for number, batch in enumerate(made["batches"]):
        for change in (
            {"commitments": batch["commitments"][:-1]},
            {"commitments": [*batch["commitments"], "0" * 64]},
            {"commitments": ["0" * 64, *batch["commitments"][1:]]},
            {"hash": "1" * 64},
            {"previous": "1" * 64},
            {"number": 7},
        ):
            changed = [*made["batches"][:number], {**batch, **change}, *made["batches"][number + 1 :]]
            assert check({**made, "batches": changed})[0] == 1, change
    assert check({**made, "batches": made["batches"][:1]})[0] == 1
    assert check({**made, "batches": made["batches"][::-1]})[0] == 1
    assert check({**made, "month": "2026-10"})[0] == 1
    assert check({**made, "end": "0" * 64})[0] == 1
    turned = [{**batch, "commitments": batch["commitments"][::-1]} for batch in made["batches"]]
    assert check({**made, "batches": turned})[0] == 1


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a month's book"),
        ('{"format": "flattr-hub-book/1"}', "is damaged"),
        ('{"format":"flattr-hub-book/1","month":"m","currency":"EUR","start":"","end":"","batches":[3]}', "is damaged"),
        (
            '{"format":"flattr-hub-book/1","month":"m","currency":"","start":"","end":"","batches":[{"number":1}]}',
            "is damaged",
        ),
    ],
)
def test_what_is_no_book_is_said_in_words(check, tmp_path, content, word):
    path = tmp_path / "x.json"
    path.write_text(content)
    status, said = check(path)
    assert status == 2
    assert word in said


def test_arguments_that_cannot_be_read_are_said_in_words(sealed, check, tmp_path):
    made, salt = book(sealed), "0" * 64
    assert check(tmp_path / "none.json")[0] == 2
    assert check(made, "--receipt", "r", "--amount", "9.0000001", "--salt", salt)[0] == 2
    assert check(made, "--receipt", "r", "--amount", "NaN", "--salt", salt)[0] == 2
    assert check(made, "--receipt", "r", "--amount", "9", "--salt", "xyz")[0] == 2
    assert check(made, "--statement", {"no": "proof"})[0] == 2
    with pytest.raises(SystemExit) as exit_:
        check_book.main(["x.json", "--receipt", "r"])
    assert exit_.value.code == 2


def test_the_script_as_handed_out_runs_alone(sealed, tmp_path):
    (tmp_path / "check_book.py").write_bytes(month_book.checker())
    (tmp_path / "book.json").write_text("".join(month_book.pieces(sealed.db, DECEMBER, sealed.rules.money)))
    words = ["book.json", "--receipt", "2026-11-1", "--amount", "9", "--salt", proof(sealed).salt]
    run = subprocess.run(
        [sys.executable, "-I", "check_book.py", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "FOUND" in run.stdout
