"""What the settings take, and how they refuse the rest in one line."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from config import reading
from config.commands import example
from config.complaints import Misconfigured
from config.money import rules_of
from config.networks.roster import found
from config.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FLATTR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _read(text: str) -> Settings:
    Path("flattr.toml").write_text(text)
    return reading.read()


def test_without_a_file_everything_has_its_default() -> None:
    settings = reading.read()
    assert settings.hub.address == "http://127.0.0.1:8080"
    assert settings.hub.database_url == "sqlite:///var/hub.db"
    assert settings.money.currency == "EUR"
    assert settings.sandbox.enabled == "auto"


def test_the_environment_stands_above_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATTR__HUB__PORT", "9001")
    settings = _read('[hub]\nport = 9000\npublic_url = "https://hub.example/"\n')
    assert settings.hub.port == 9001
    assert settings.hub.address == "https://hub.example"


def test_the_file_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[hub]\nport = 7000\n")
    monkeypatch.setenv("FLATTR_CONFIG", str(other))
    assert reading.read().hub.port == 7000


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET", '["new, one", "old"]'),
        ("FLATTR__CONNECTORS", '{"github": {"webhook_secret": ["new, one", "old"]}}'),
    ],
)
def test_a_secret_may_have_several_values(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    values = reading.read().connectors["github"].values["webhook_secret"]
    assert [each.get_secret_value() for each in values] == ["new, one", "old"]


def test_one_secret_stays_whole_whatever_it_contains(monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in ("a,b", "[not json", "12", "12345e67", '{"a": 1}'):
        monkeypatch.setenv("FLATTR__CONNECTORS__GITHUB__WEBHOOK_SECRET", secret)
        values = reading.read().connectors["github"].values["webhook_secret"]
        assert [each.get_secret_value() for each in values] == [secret]


def test_lists_can_be_written_with_commas_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATTR__ACCEPT_POLICY_RISK", "twitter.likes, x.y")
    monkeypatch.setenv("FLATTR__MONEY__COLLECT_DAYS", "0,2,4")
    settings = reading.read()
    assert settings.accept_policy_risk == ("twitter.likes", "x.y")
    assert settings.money.collect_days == (0, 2, 4)


def test_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATTR__KEYS__SEALING", "canary-1")
    monkeypatch.setenv("FLATTR__KEYS__PSEUDONYM", "canary-2")
    monkeypatch.setenv("FLATTR__HUB__DATABASE", "postgresql://me:canary-3@host/hub")
    settings = _read('[connectors.github]\nwebhook_secret = ["canary-4", "canary-5"]\n')
    assert "canary" not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[hub]\nprot = 1\n", "unknown setting hub.prot in flattr.toml: did you mean port?"),
        ("[hubb]\nport = 1\n", "unknown setting hubb in flattr.toml: did you mean hub?"),
        ("[inbox]\nzzz = 1\n", "unknown setting inbox.zzz in flattr.toml: known: keep_days"),
        ("[hub]\nport = 'canary'\n", "hub.port in flattr.toml should be a whole number; see"),
        ("hub = 3\n", "hub in flattr.toml is a section, not one value: write [hub] and its settings below it; see"),
        (
            "connectors = {github = 3}\n",
            "connectors.github in flattr.toml is a section, not one value: write [connectors.github] and",
        ),
        ("[money]\nfee_percent = 'much'\n", "money.fee_percent in flattr.toml should be a number; see"),
        (
            "[connectors.github]\nwebhook_secret = 5\n",
            "connectors.github.webhook_secret in flattr.toml must be a text: put it between quotes; see",
        ),
        ("[hub]\npublic_url = 'hub.example'\n", "hub.public_url in flattr.toml must begin with http://"),
        (
            "[money]\nreview_hours = -1\n",
            "money.review_hours in flattr.toml should be greater than or equal to 0",
        ),
        ("[money]\ncollect_days = [3, 1]\n", "money.collect_days in flattr.toml must rise"),
        ("[money]\nfee_percent = 1.234\n", "money.fee_percent in flattr.toml has at most two decimals"),
        (
            "[sandbox]\nenabled = 'maybe'\n",
            "sandbox.enabled in flattr.toml should be 'auto', 'true' or 'false'",
        ),
        ("[hub\n", "flattr.toml is not TOML:"),
        (
            "[connectors.github]\nwebhook_secret = {a = 'canary'}\n",
            "connectors.github.webhook_secret in flattr.toml",
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_said_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        _read(text)
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "complaint"),
    [
        ("FLATTR__HUB__PROT", "unknown setting hub.prot in FLATTR__HUB__PROT: did you mean port?"),
        (
            "FLATTR__HAB__PORT",
            "the environment variable FLATTR__HAB__PORT sets nothing: did you mean FLATTR__HUB?",
        ),
        (
            "FLATTR_HUB__PORT",
            "the environment variable FLATTR_HUB__PORT is not read; settings begin with FLATTR__",
        ),
        ("FLATTR__HUB__PORT", "hub.port in FLATTR__HUB__PORT should be a whole number; see"),
    ],
)
def test_what_is_wrong_in_the_environment_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, "canary")
    with pytest.raises(Misconfigured) as caught:
        reading.read()
    assert str(caught.value).startswith(complaint)
    assert "canary" not in str(caught.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"there is no file .*missing.toml; copy flattr.toml.example"):
        reading.read(tmp_path / "missing.toml")


def test_the_rules_are_made_of_the_settings() -> None:
    settings = _read('[money]\ncurrency = "jpy"\nfee_percent = 7.5\nreview_hours = 0\npayout_minimum = 300\n')
    rules = rules_of(settings.money, pseudonym_key=b"k")
    assert (rules.money.code, rules.money.exponent) == ("JPY", 0)
    assert rules.fee_bp == 750
    assert rules.review == timedelta(0)
    assert rules.payout_min_micros == 300_000_000
    assert rules.budget_min_micros == 300_000_000


def test_the_rules_default_to_the_design() -> None:
    rules = rules_of(reading.read().money, pseudonym_key=b"k")
    assert (rules.budget_min_micros, rules.budget_max_micros) == (2_000_000, 1_000_000_000)
    assert (rules.fee_bp, rules.charge_min_micros, rules.payout_min_micros) == (1000, 500_000, 1_000_000)
    assert (rules.collect_days, rules.payout_day, rules.pending_days) == ((0, 1, 3, 5, 7), 11, 90)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("currency = 'EURO'", "money.currency: 'EURO' is not a currency code"),
        ("currency = 'ISK'", "the hub knows no usual bounds for ISK; set money.budget_min, money.budget_max"),
        (
            "currency = 'JPY'\nbudget_min = 300.5",
            "money.budget_min is 300.5, but the smallest unit of JPY is 1",
        ),
        (
            "budget_min = 9\nbudget_max = 8",
            "money.budget_min must be more than 0 and at most money.budget_max",
        ),
    ],
)
def test_money_that_makes_no_sense_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        rules_of(_read(f"[money]\n{text}\n").money, pseudonym_key=b"k")
    assert str(caught.value).startswith(complaint)


def test_the_example_is_what_the_settings_say() -> None:
    kept = Path(__file__).parents[2] / "flattr.toml.example"
    assert kept.read_text() == example.example(found()[0]), "run `python -m config.commands.example`"


def test_the_example_is_valid_as_it_is_and_with_everything_uncommented() -> None:
    text = example.example(found()[0])
    assert _read(text) == Settings()
    lines = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in text.splitlines()]
    settings = _read("\n".join(lines))
    assert settings.hub.port == 8080
    assert settings.money.collect_days == (0, 1, 3, 5, 7)
    assert {"github", "discord"} <= set(settings.connectors)
