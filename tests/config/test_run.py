"""The real command as a process: it starts, serves, stops cleanly, and refuses in one line."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result

from config.clock import SandboxClock
from core.database import Database
from core.mail.tables import InboxItem
from tests.config.hub_process import ROOT, Process, data, request

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)


def _bugs(errors: str) -> list[str]:
    """The log from the first line on that tells of a bug."""
    lines = errors.splitlines()
    signs = ("Traceback", "Error", "never retrieved", "was destroyed")
    return lines[next((n for n, line in enumerate(lines) if any(sign in line for sign in signs)), len(lines)) :]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_hub_starts_with_nothing_set_up_and_stops_cleanly(start: Callable[..., Process], number: int) -> None:
    hub = start()
    assert hub.get("/readyz") == (200, "ready\n")
    status, page = hub.get("/")
    assert status == 200
    assert "Square" in page
    assert hub.stop(number) == 0
    table = hub.output
    assert re.search(r"Square \(sandbox\) +on ", table)
    assert re.search(r"GitHub +off", table)
    assert "/webhooks/github" in table
    assert "needs webhook_secret" in table
    assert "no real money moves" in table
    assert _bugs(hub.errors) == []
    assert (hub.folder / "var" / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_star_at_the_running_hub_is_a_flattr(
    start: Callable[..., Process], flattr: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, payloads: Path
) -> None:
    monkeypatch.setenv("FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET", '["new", "old"]')
    hub = start(FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET='["new", "old"]')
    address = f"{hub.address}/webhooks/github"
    assert hub.get("/") == (200, "This is a Flattr Hub. Talk to its bot on the networks that it is on.\n")
    assert "a real connector is configured" in hub.output
    body = (payloads / "github" / "star.created.json").read_bytes()
    star = json.loads(body)
    patron = data(flattr("link", f"github:{star['sender']['id']}", "new", "--since", "2019-01-01", "--json"))["person"]

    def post(secret: bytes) -> int:
        code = hmac.new(secret, body, hashlib.sha256).hexdigest()
        return request(address, body, {"X-Hub-Signature-256": f"sha256={code}"})[0]

    assert [post(b"wrong"), post(b"old"), post(b"new")] == [401, 202, 200]
    assert hub.stop() == 0
    found = data(flattr("flattrs", "--person", str(patron), "--json"))
    owner = f"github:{star['repository']['owner']['id']}"
    assert [line["creator_account"] for line in found["status"]["lines"]] == [owner]
    assert _bugs(hub.errors) == []


def test_people_can_be_spoken_for_while_the_hub_runs(
    start: Callable[..., Process], flattr: Callable[..., Result]
) -> None:
    hub = start()
    assert hub.get("/readyz")[0] == 200
    assert "35.00 EUR a month" in flattr("say", "sandbox:ada", "budget", "35", "now").output
    assert "35.00 EUR" in flattr("say", "sandbox:ada", "status").output
    assert hub.stop() == 0


def test_a_busy_port_is_said_in_one_line(start: Callable[..., Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        hub = start(FLATTR__HUB__PORT=str(port))
        assert hub.process.wait(timeout=20) == 2
    assert hub.errors == (
        f"flattr: port {port} on 127.0.0.1 is in use; stop the other program (perhaps another hub), or choose another"
        " port with hub.port or FLATTR__HUB__PORT\n"
    )
    assert hub.output == ""
    assert not (hub.folder / "var").exists()


def _wrong(alone: Path, settings: str) -> None:
    (alone / "flattr.toml").write_text("[hub]\nport = 0\n" + settings)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("prot = 1\n", "unknown setting hub.prot in flattr.toml: did you mean port?"),
        ("database = 'sqlite:////proc/hub.db'\n", "cannot open the database sqlite:////proc/hub.db: "),
        (
            "database = 'mysql://a:b@127.0.0.1/c'\n",
            "the hub works on SQLite and PostgreSQL, not on mysql; set hub.data",
        ),
        ("database = 'oracle'\n", "hub.database is not a database's address"),
        ("data_dir = '/proc/none'\n", "cannot open the database sqlite:////proc/none/hub.db: "),
        ("host = '203.0.113.1'\n", "cannot listen on 203.0.113.1: "),
        ("[connectors.github]\n", "connectors.github.webhook_secret is missing: "),
        ("[connectors.gitlub]\n", "no connector named gitlub: did you mean github?"),
        ("[money]\ncurrency = 'EURO'\n", "money.currency: 'EURO' is not a currency code"),
        ("[sandbox]\nenabled = true\n[connectors.sandbox]\nx = '1'\n", "connectors.sandbox is pretend"),
    ],
)
def test_what_keeps_a_hub_from_starting_is_said_in_one_line(
    flattr: Callable[..., Result], alone: Path, settings: str, complaint: str
) -> None:
    _wrong(alone, settings)
    result = flattr("run")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"flattr: {complaint}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_database_that_may_only_be_read_is_refused(flattr: Callable[..., Result], alone: Path) -> None:
    assert flattr("check").exit_code == 0
    _wrong(alone, "database = 'sqlite:///file:var/hub.db?mode=ro&uri=true'\n")
    result = flattr("run")
    assert result.exit_code == 2
    assert result.stderr.startswith("flattr: cannot ")
    assert "set hub.database" in result.stderr


@pytest.mark.parametrize("command", ["run", "check", "doctor"])
def test_a_file_that_is_no_database_is_said_in_one_line(
    flattr: Callable[..., Result], alone: Path, command: str
) -> None:
    (alone / "var").mkdir()
    (alone / "var" / "hub.db").write_bytes(b"this is a letter to my grandmother\n" * 100)
    _wrong(alone, "")
    result = flattr(command)
    assert result.exit_code == 2
    assert result.stderr.startswith("flattr: cannot open the database sqlite:///var/hub.db: file is not a database; ")
    assert "restore it from your backup" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_not_taken_for_a_path(flattr: Callable[..., Result], alone: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _wrong(alone, f"database = 'postgresql://me:canary@127.0.0.1:{port}/hub'\n")
    result = flattr("check")
    assert result.exit_code == 2
    assert "check that the server runs" in result.stderr
    assert "path" not in result.stderr
    assert "canary" not in result.stderr
    assert result.stderr.count("\n") == 1


def test_amounts_do_not_change_their_currency(flattr: Callable[..., Result], alone: Path) -> None:
    assert flattr("check").exit_code == 0
    _wrong(alone, "[money]\ncurrency = 'USD'\n")
    assert flattr("say", "sandbox:ada", "budget 35").exit_code == 0, "nothing was counted in euros yet"
    _wrong(alone, "[money]\ncurrency = 'EUR'\n")
    for command in ("run", "check"):
        result = flattr(command)
        assert result.exit_code == 2
        assert result.stderr == (
            "flattr: money.currency is EUR, but the amounts in this database are USD; set it back to USD, or use a"
            " fresh hub.data_dir and database\n"
        )
    _wrong(alone, "[money]\ncurrency = 'USD'\n")
    assert flattr("check").exit_code == 0


def test_what_the_hub_keeps_is_its_owners_alone(start: Callable[..., Process]) -> None:
    hub = start()
    assert hub.get("/readyz")[0] == 200
    folder = hub.folder / "var"
    assert folder.stat().st_mode & 0o777 == 0o700
    kept = {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()}
    assert {"hub.db", "hub.db-wal", "sandbox.db", "keys.json"} <= kept.keys()
    assert {name: mode for name, mode in kept.items() if mode} == {}
    assert hub.stop() == 0


def test_ctrl_c_while_it_is_still_being_loaded_is_quiet(alone: Path) -> None:
    loading = "import os, signal, sys, threading\n"
    loading += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # shells take it from what runs behind
    loading += "class Late:\n def find_spec(self, name, *_):\n"
    loading += "  if name == 'config.commands.root': os.kill(os.getpid(), signal.SIGINT)\n"
    loading += "sys.meta_path.insert(0, Late())\nfrom config.command import main\nmain()\n"
    ended = subprocess.run(
        [sys.executable, "-c", loading, "run"], cwd=alone, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_lost_keys_of_a_used_database_keep_the_hub_from_starting(flattr: Callable[..., Result], alone: Path) -> None:
    assert flattr("check").exit_code == 0
    database = Database("sqlite:///var/hub.db")
    with database.transaction() as tx:
        tx.add(InboxItem(platform="github", key="k", received_at=AT, body_hash="h", sealed=b"s"))
    database.dispose()
    (alone / "var" / "keys.json").unlink()
    result = flattr("check")
    assert result.exit_code == 2
    assert "restore it from your backup" in result.stderr
    assert flattr("keys", "new", "--yes").exit_code == 0
    assert flattr("check").exit_code == 0


def test_books_from_the_sandbox_do_not_become_real(flattr: Callable[..., Result], alone: Path) -> None:
    assert flattr("check").exit_code == 0
    clock = SandboxClock(alone / "var" / "clock.json")
    clock.jump_to(clock() + timedelta(days=40))
    _wrong(alone, "[sandbox]\nenabled = false\n")
    result = flattr("run")
    assert result.exit_code == 2
    assert "use a fresh hub.data_dir and database" in result.stderr
