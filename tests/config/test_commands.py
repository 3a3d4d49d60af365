"""What the command prints, for people and for programs, and how it helps with mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlmodel import select

from config import closing
from config.parts import assemble
from config.reading import read
from connectors.base import Delivery
from connectors.sandbox import body_of, square
from core.books import ledger
from core.database import Database
from core.events import AccountRef
from core.mail import inbox, outbox
from core.mail.inbox import Incoming
from core.mail.tables import OutboxNote
from core.people.tables import Audit
from tests.config.hub_process import data
from webhooks.packing import pack

Run = Callable[..., Result]
AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
COMMANDS = [
    "run",
    "demo",
    "doctor",
    "connectors",
    "say",
    "flattrs",
    "months",
    "close",
    "check",
    "inbox",
    "link",
    "bench",
    "keys",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(flattr: Run, command: str) -> None:
    result = flattr(command, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()[2].strip()) > 20
    assert command in flattr("--help").output


@pytest.mark.parametrize(
    ("words", "help_"),
    [
        (["mnths"], "'months'"),
        (["close", "2026-13"], "write it like 2026-11"),
        (["say", "ada", "status"], "write PLATFORM:ACCOUNT_ID"),
        (["say", "sanbox:ada", "status"], "did you mean sandbox?"),
        (["close", "--dry-run", "--now"], "leave out --now"),
        (["link", "github:Codertocat", "new"], "https://api.github.com/users/NAME shows a name's id"),
        (["say", "discord:Wumpus", "status"], "'Wumpus' is not an account id of Discord"),
        (["bench", "intaek"], "did you mean intake?"),
        (["link", "sandbox:ada", "new", "--since", "2999-01-01"], "lies in the future"),
        (["--config", "none.toml", "check"], "there is no file none.toml"),
    ],
)
def test_a_mistake_is_answered_with_help_and_status_2(flattr: Run, words: list[str], help_: str) -> None:
    result = flattr(*words)
    assert result.exit_code == 2
    assert help_ in result.stderr
    assert "Traceback" not in result.output


def test_what_is_said_for_an_account_counts_and_is_not_sent_to_it(flattr: Run) -> None:
    assert "35.00 EUR a month" in flattr("say", "sandbox:ada", "budget 35 now").output
    answer = data(flattr("say", "sandbox:ada", "status", "--json"))
    assert answer["account"] == "sandbox:ada"
    assert "35.00 EUR" in answer["answer"]
    database = Database("sqlite:///var/hub.db")
    with database.reading() as tx:
        assert tx.exec(select(OutboxNote)).all() == []
    database.dispose()


def test_linking_by_hand_is_logged_and_says_from_when_it_counts(flattr: Run) -> None:
    flattr("say", "sandbox:ada", "budget 35")
    linked = flattr("link", "github:21031067", "sandbox:ada")
    assert "its likes count from now on" in linked.output
    assert "github:21031067" in linked.output
    since = data(flattr("link", "github:583231", "new", "--since", "2026-01-02", "--json"))
    assert since["since"] == "2026-01-02T00:00:00+00:00"
    refused = flattr("link", "github:583231", "sandbox:ada")
    assert refused.exit_code == 1
    assert "--move" in refused.stderr
    assert flattr("link", "github:583231", "sandbox:ada", "--move").exit_code == 0
    unknown = flattr("link", "github:1", "777")
    assert unknown.exit_code == 1
    assert "there is no person 777" in unknown.stderr
    database = Database("sqlite:///var/hub.db")
    with database.reading() as tx:
        assert [note.actor for note in tx.exec(select(Audit))] == ["operator"] * 3
    database.dispose()


def test_flattrs_and_months_are_listed(flattr: Run) -> None:
    assert "No flattrs in" in flattr("flattrs").output
    flattr("say", "sandbox:ada", "budget 35 now")
    flattr("say", "sandbox:ada", "flattr https://square.example/bruno/1")
    assert "https://square.example/bruno/1" in flattr("flattrs").output
    (row,) = data(flattr("flattrs", "--json"))["flattrs"]
    assert (row["creator"], row["standing"]) == ("sandbox:bruno", True)
    assert "0 count, 1 pending" in flattr("flattrs", "--person", "sandbox:ada").output
    months = data(flattr("months", "--json"))
    assert [month["stage"] for month in months["months"]] == ["open"]
    assert "takes likes" in flattr("months").output
    assert flattr("flattrs", "--person", "sandbox:nobody").exit_code == 1


def test_check_tells_broken_books_from_clean_ones(flattr: Run) -> None:
    assert "The books are clean" in flattr("check").output
    assert data(flattr("check", "--json"))["clean"] is True
    database = Database("sqlite:///var/hub.db")
    with database.transaction() as tx:
        ledger.post(
            tx, kind="sent", source="nothing", debit=ledger.TRANSIT, credit=ledger.STRIPE, amount_micros=5, at=AT
        )
    database.dispose()
    broken = flattr("check")
    assert broken.exit_code == 1
    assert "BROKEN  no more is paid out than was collected" in broken.output
    assert json.loads(flattr("check", "--json").stdout)["clean"] is False


def test_doctor_says_what_to_create_where_and_what_needs_attention(flattr: Run, alone: Path) -> None:
    healthy = flattr("doctor", "--all", "--offline")
    assert healthy.exit_code == 0
    assert "http://127.0.0.1:8080/webhooks/github" in healthy.output
    assert "connectors.github.webhook_secret: missing" in healthy.output
    assert "github-acceptable-use-policies" in healthy.output
    (alone / "var" / "keys.json").chmod(0o644)
    _dead_letter(alone)
    needs = data(flattr("doctor", "--json", "--offline"))
    looked = {finding["what"]: finding for finding in needs["findings"]}
    assert looked["keys"]["remedy"] == "chmod 600 var/keys.json"
    assert looked["inbox"]["text"] == "1 dead letters"
    assert looked["books"]["state"] == "well"
    assert {network["platform"] for network in needs["networks"]} >= {"github", "discord"}


def test_the_table_of_connectors_fits_eighty_columns(flattr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.rstrip() for line in flattr("connectors").output.splitlines()]
    twitter = next(line for line in lines if "Twitter/X (twitter)" in line)
    assert "off" in twitter
    assert "red" in twitter
    assert "  http://127.0.0.1:8080/link/dailymotion/callback" in lines
    assert max(map(len, lines)) <= 80


BOT = {"consumer_secret": "a" * 20, "bearer_token": "b" * 20, "client_id": "c" * 20, "client_secret": "d" * 20}


def test_a_bot_that_nobody_signed_in_as_is_named_with_the_command(flattr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BOT.items():
        monkeypatch.setenv(f"FLATTR__CONNECTORS__TWITTER__{name.upper()}", value)
    assert "names no account" in flattr("sign-in", "twitter").output
    monkeypatch.setenv("FLATTR__CONNECTORS__TWITTER__BOT", "999")
    assert "flattr sign-in twitter" in flattr("doctor", "--offline", "--json").output
    assert "/link/" in flattr("sign-in", "twitter").output
    assert "no bot signs in there; did you mean twitter?" in flattr("sign-in", "twiter").output


def test_doctor_shows_no_secret(flattr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET", "canary")
    for words in (["doctor", "--offline"], ["doctor", "--json", "--offline"], ["connectors"], ["connectors", "--json"]):
        result = flattr(*words)
        assert result.exit_code == 0
        assert "canary" not in result.output
    assert "connectors.github.webhook_secret: given" in flattr("doctor", "--offline").output


def test_the_table_of_connectors_comes_from_their_cards(flattr: Run) -> None:
    assert "off" in flattr("connectors").output
    facts = {each["platform"]: each for each in data(flattr("connectors", "--json"))["connectors"]}
    assert facts["github"]["address"] == "http://127.0.0.1:8080/webhooks/github"
    assert facts["github"]["light"] == "amber"
    assert facts["sandbox"]["on"] is True
    markdown = flattr("connectors", "--markdown").output.splitlines()
    assert markdown[1] == "|---|---|---|---|---|---|"
    assert [line.split("|")[1].strip().split("]")[0].lstrip("[") for line in markdown[2:]] == [
        *("Dailymotion", "Discord", "Facebook", "Flickr", "GitHub", "SoundCloud", "Twitter/X", "Vimeo"),
        "Harbour (pretend)",
        "Square (pretend)",
    ]


def _dead_letter(alone: Path) -> None:
    """A delivery that is fine, but was taken for dead."""
    parts = assemble(read())
    at = parts.clock()
    said = {
        "id": "e1",
        "type": "messaged",
        "at": at.isoformat(),
        "by": {"id": "ada", "name": "Ada"},
        "text": "budget 35 now",
    }
    delivery = Delivery(method="POST", path="/webhooks/sandbox", body=body_of(square.platform, [said]), received_at=at)
    sealed = parts.seal.seal(pack(delivery))
    with parts.db.transaction() as tx:
        inbox.store(tx, [Incoming(platform="sandbox", key="k", received_at=at, body_hash="h", sealed=sealed)])
        inbox.mark_dead(tx, 1, error="KeyError at connectors/sandbox.py:1", error_hash="x", at=at)
    parts.close()


def test_a_dead_letter_can_be_read_rehearsed_and_replayed(flattr: Run, alone: Path) -> None:
    flattr("check")
    _dead_letter(alone)
    assert "KeyError at connectors/sandbox.py:1" in flattr("inbox", "list", "--state", "dead").output
    assert "budget 35 now" in flattr("inbox", "show", "1").output
    rehearsed = data(flattr("inbox", "replay", "--dry-run", "--json"))
    assert (rehearsed["replayed"], rehearsed["done"], rehearsed["dead"]) == (1, 1, 0)
    assert rehearsed["changes"]["accounts"] == [0, 1]
    assert data(flattr("inbox", "list", "--json"))["counts"]["dead"] == 1
    assert "1 were replayed: 1 done, 0 dead again" in flattr("inbox", "replay").output
    assert "35.00 EUR" in flattr("say", "sandbox:ada", "budget").output
    assert "no dead letter" in flattr("inbox", "replay").output
    unknown = flattr("inbox", "show", "77")
    assert unknown.exit_code == 1
    assert "`flattr inbox list`" in unknown.stderr
    database = Database("sqlite:///var/hub.db")
    with database.reading() as tx:
        (answer,) = outbox.listing(tx)
        assert AccountRef(platform=answer.platform or "", account_id=answer.account_id or "") == square.account("ada")
    database.dispose()


@pytest.mark.parametrize("how", [[], ["--dry-run"]])
def test_only_a_dead_letter_that_is_there_is_replayed(flattr: Run, alone: Path, how: list[str]) -> None:
    flattr("check")
    _dead_letter(alone)
    missing = flattr("inbox", "replay", "1", "999", *how)
    assert missing.exit_code == 1
    assert "no delivery 999" in missing.stderr
    assert flattr("inbox", "replay", "1").exit_code == 0
    done = flattr("inbox", "replay", "1", *how)
    assert done.exit_code == 1
    assert "delivery 1 is done; only dead letters are replayed" in done.stderr


def test_a_letter_that_dies_again_says_why_and_a_rehearsal_does_not_log_it(flattr: Run, alone: Path) -> None:
    flattr("check")
    _dead_letter(alone)
    (alone / "flattr.toml").write_text("[sandbox]\nenabled = false\n")
    rehearsed = flattr("inbox", "replay", "--dry-run")
    assert "1 would be replayed: 0 done, 1 dead again" in rehearsed.stdout
    assert "1 is dead again: the connector sandbox is not on" in rehearsed.stdout
    assert rehearsed.stderr == ""
    assert "delivery 1 from sandbox is a dead letter" in flattr("inbox", "replay").stderr


def test_programs_read_months_as_people_do(flattr: Run) -> None:
    flattr("say", "sandbox:ada", "budget 35 now")
    flattr("say", "sandbox:ada", "flattr https://square.example/bruno/1")
    closing_ = data(flattr("close", "--dry-run", "--json"))
    assert closing_["result"]["month"] == closing_["month"]
    patron = data(flattr("flattrs", "--person", "sandbox:ada", "--json"))
    assert patron["status"]["month"] == patron["month"]
    assert "-" in patron["month"]


def test_doctor_warns_of_a_secret_that_can_be_guessed(flattr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET", "short")
    assert "webhook_secret has fewer than 8 characters" in flattr("doctor", "--offline").output
    monkeypatch.setenv("FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET", "long enough")
    assert "fewer than" not in flattr("doctor", "--offline").output


def test_keys_can_be_rotated_and_are_not_replaced_by_accident(flattr: Run, alone: Path) -> None:
    assert flattr("keys", "rotate").exit_code == 1
    flattr("check")
    _dead_letter(alone)
    assert "2 sealing keys" in flattr("keys", "rotate").output
    assert "budget 35 now" in flattr("inbox", "show", "1").output
    refused = flattr("keys", "new", "--yes")
    assert refused.exit_code == 1
    assert "flattr keys rotate" in refused.stderr


def test_the_month_that_is_overdue_is_seen(flattr: Run, alone: Path) -> None:
    flattr("say", "sandbox:ada", "budget 35 now")
    flattr("say", "sandbox:ada", "flattr https://square.example/bruno/1")
    parts = assemble(read())
    closing.advance(parts, parts.clock())
    parts.skipping_clock().jump_to(parts.clock() + timedelta(days=75))
    parts.close()
    looked = {finding["what"]: finding for finding in data(flattr("doctor", "--json", "--offline"))["findings"]}
    assert "overdue: " in looked["months"]["text"]
    assert "skipped ahead to" in looked["clock"]["text"]
