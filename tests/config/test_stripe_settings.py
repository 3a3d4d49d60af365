"""What the settings of real money take, and what they refuse in one line, each with its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.clock import SandboxClock
from config.complaints import Misconfigured
from config.money import rules_of, usual_bounds
from config.networks.hearing import webhooks_of
from config.networks.roster import found, sandbox_is_on
from config.parts import Parts, assemble, with_database
from config.payments import tariff
from config.payments.processor import check, gateway_of, hosted, keep_mode, mode_of
from config.settings import HubSection, MoneySection, SandboxSection, Settings, StripeSection
from core.database import Database
from core.payments.sandbox import SandboxGateway
from core.payments.stripe.currencies import SUPPORTED
from tests.scene import PAYS, Scene
from webhooks.stripe import ACCOUNT_EVENTS, CONNECTED_EVENTS, OWN_EVENTS, SECRET

TEST, LIVE = "sk_test_canary1234", "sk_live_canary1234"


def settings(
    key: str = TEST,
    *,
    money: dict[str, Any] | None = None,
    sandbox: str = "auto",
    hub: dict[str, Any] | None = None,
    **stripe: Any,
) -> Settings:
    return Settings.model_construct(
        hub=HubSection(**(hub or {})),
        money=MoneySection(payments="stripe", **(money or {})),
        stripe=StripeSection(secret_key=key, **stripe),
        sandbox=SandboxSection(enabled=sandbox),
    )


def checked(given: Settings) -> str:
    return check(given, rules_of(given.money, pseudonym_key=b""))


@pytest.fixture
def parts(alone: Path) -> Iterator[Parts]:
    made = assemble(
        settings(hub={"data_dir": alone}, webhook_secret=["whsec_1", "whsec_2", ""], countries=["de", "AT"])
    )
    yield made
    made.close()


def test_without_anything_no_real_money_moves() -> None:
    assert mode_of(Settings.model_construct()) == "sandbox"


@pytest.mark.parametrize(
    ("key", "mode"),
    [(TEST, "stripe test"), (LIVE, "stripe"), ("rk_test_canary1234", "stripe test"), ("rk_live_canary1234", "stripe")],
)
def test_the_key_says_whose_money_it_is(key: str, mode: str) -> None:
    assert checked(settings(key)) == mode


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            settings(""),
            "money.payments is stripe, but stripe.secret_key (FLATTR__STRIPE__SECRET_KEY) is missing: it is in",
        ),
        (
            settings("pk_test_canary1234"),
            "stripe.secret_key (FLATTR__STRIPE__SECRET_KEY) is not a secret key: it begins",
        ),
        (settings("whsec_canary1234"), "stripe.secret_key (FLATTR__STRIPE__SECRET_KEY) is not a secret key"),
        (settings(f" {TEST}"), "stripe.secret_key (FLATTR__STRIPE__SECRET_KEY) is not a secret key"),
        (settings(LIVE, sandbox="true"), "sandbox.enabled is true, but stripe.secret_key is a live one"),
        (settings(LIVE, api="http://127.0.0.1:1"), "stripe.api is for tests and cannot be set with a live key"),
        (settings(descriptor="<FLATTR>"), "stripe.descriptor must be up to 22 letters"),
        (settings(descriptor="2026"), "stripe.descriptor must be up to 22 letters"),
        (settings(countries=["DE", "XX"]), "stripe.countries has XX, which is no country's code; write ISO 3166"),
        (settings(money={"charge_min": "0.10"}), "money.charge_min must be at least 0.50: Stripe takes no smaller"),
        (
            settings(money={"budget_min": "2", "charge_min": "3"}),
            "money.budget_min must be at least money.charge_min (3.00)",
        ),
        (
            settings(
                money={
                    "currency": "ISK",
                    "budget_min": 300,
                    "budget_max": 90000,
                    "charge_min": 100,
                    "payout_minimum": 100,
                }
            ),
            "money.currency: Stripe cannot keep the hub's books in ISK; choose one of AED,",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(given: Settings, complaint: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        checked(given)
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_what_is_wrong_is_said_before_anything_is_made(alone: Path) -> None:
    with pytest.raises(Misconfigured):
        assemble(settings("", hub={"data_dir": alone / "var"}))
    assert not (alone / "var").exists()


@pytest.mark.parametrize("code", sorted(set(SUPPORTED) & {"AUD", "CAD", "CHF", "DKK", "EUR", "GBP", "JPY", "USD"}))
def test_every_currency_with_usual_bounds_can_be_charged_and_held(code: str) -> None:
    given = settings(money={"currency": code})
    assert checked(given) == "stripe test"
    rules = rules_of(given.money, pseudonym_key=b"")
    assert rules.hold_micros == 10 * rules.budget_min_micros
    assert "hold_amount" in usual_bounds(code)


def test_the_holds_can_be_set() -> None:
    money = MoneySection(hold_percent="75.5", hold_amount="12.50", hold_mutual_percent=20, hold_new_days=14)
    rules = rules_of(money, pseudonym_key=b"", countries=("DE",))
    assert (rules.hold_part_bp, rules.hold_micros, rules.hold_mutual_bp) == (7550, 12_500_000, 2000)
    assert rules.hold_new.days == 14
    assert rules.countries == {"DE"}


def test_the_pretend_networks_go_off_under_a_live_key() -> None:
    connectors = found()[0]
    assert sandbox_is_on(settings(TEST), connectors)
    assert not sandbox_is_on(settings(LIVE), connectors)
    assert not sandbox_is_on(settings(TEST, sandbox="false"), connectors)


def test_a_skipped_clock_and_real_money_do_not_go_together(alone: Path) -> None:
    skipping = SandboxClock(alone / "clock.json")
    skipping.jump_to(datetime(2099, 1, 1, tzinfo=UTC))
    with pytest.raises(Misconfigured, match="this data_dir played in the sandbox until 2099-01-01"):
        assemble(settings(LIVE, hub={"data_dir": alone}))


@pytest.mark.parametrize("code", ["XX1", "D", "Deutschland", "Ä1"])
def test_a_country_is_a_code_of_two_letters(code: str) -> None:
    with pytest.raises(ValueError, match="no country's code of two letters"):
        StripeSection(countries=[code])


def test_the_parts_have_what_the_settings_say(parts: Parts) -> None:
    assert parts.rules.countries == {"DE", "AT"}
    gateway = hosted(parts.gateway)
    assert gateway is not None
    assert (gateway.name, gateway.pretend, gateway.onboards, gateway.cards()) == ("stripe", True, True, ())
    webhook = webhooks_of(parts)["stripe"]
    assert webhook.secrets == {SECRET: (b"whsec_1", b"whsec_2")}
    assert "whsec" not in repr(webhook)
    assert parts.talk.gateway is parts.gateway
    assert TEST not in repr(parts.settings)


def test_a_rehearsal_asks_no_card_and_no_processor(parts: Parts) -> None:
    rehearsal = with_database(parts, parts.db)
    assert isinstance(rehearsal.gateway, SandboxGateway)
    assert rehearsal.talk.gateway is rehearsal.gateway


def test_a_hub_without_stripe_is_not_called_by_it(alone: Path) -> None:
    made = assemble(Settings.model_construct(hub=HubSection(data_dir=alone)))
    try:
        assert hosted(made.gateway) is None
        assert "stripe" not in webhooks_of(made)
    finally:
        made.close()


def test_books_about_pretend_money_never_become_books_about_real_money(sqlite_db: Database, scene: Scene) -> None:
    keep_mode(scene.db, "sandbox")
    keep_mode(scene.db, "stripe test")
    keep_mode(scene.db, "sandbox")  # nothing is in the books so far
    scene.patron("ada", card=PAYS)
    for mode in ("stripe test", "stripe"):
        with pytest.raises(Misconfigured, match=r"about money of the sandbox .*use a fresh hub.data_dir"):
            keep_mode(scene.db, mode)
    keep_mode(scene.db, "sandbox")


def test_a_database_from_before_is_one_of_the_sandbox(scene: Scene) -> None:
    scene.patron("ada", card=PAYS)
    with pytest.raises(Misconfigured, match="about money of the sandbox"):
        keep_mode(scene.db, "stripe")
    keep_mode(scene.db, "sandbox")


def test_the_gateway_is_made_without_a_call(sqlite_db: Database) -> None:
    gateway = gateway_of(settings(LIVE, hub={"public_url": "https://hub.example"}), sqlite_db)
    assert not gateway.pretend


def test_a_keys_file_from_before_gets_the_same_book_key_wherever_it_lies(alone: Path) -> None:
    made = assemble(Settings.model_construct(hub=HubSection(data_dir=alone)))
    made.close()
    path = alone / "keys.json"
    content = json.loads(path.read_text())
    assert bytes.fromhex(content.pop("book")) == made.keys.book
    path.write_text(json.dumps(content))
    keys = []
    for _ in range(2):
        again = assemble(Settings.model_construct(hub=HubSection(data_dir=alone)))
        again.close()
        keys.append(again.keys.book)
    assert keys[0] == keys[1] != made.keys.book
    assert len(keys[0]) == 32


def test_the_operators_page_lists_every_event() -> None:
    page = (Path(__file__).parents[2] / "docs" / "money.md").read_text()
    events = (*OWN_EVENTS, *CONNECTED_EVENTS, *ACCOUNT_EVENTS)
    assert [each for each in events if f"`{each}`" not in page] == []


# The tariff: the design's own figures


@pytest.mark.parametrize(
    ("percent", "fixed", "budget"), [("2.9", "0.30", 4_230_000), ("1.5", "0.25", 2_950_000), ("10", "0.30", None)]
)
def test_from_which_budget_on_the_fee_covers_the_card(percent: str, fixed: str, budget: int | None) -> None:
    rules = rules_of(MoneySection(cost_percent=percent, cost_fixed=fixed), pseudonym_key=b"")
    assert tariff.smallest_budget(rules) == budget
    if budget is not None:
        for micros, covered in ((budget, True), (budget - 10_000, False)):
            assert (micros // 10 >= micros * rules.cost_bp // 10_000 + rules.cost_fixed_micros) is covered


def test_what_one_charge_of_35_costs() -> None:
    rules = rules_of(MoneySection(cost_percent="2.9", cost_fixed="0.30"), pseudonym_key=b"")
    line = tariff.line(rules, 35_000_000, borne=False)
    assert (line.card_micros, line.fee_micros, line.creators_micros) == (1_320_000, 3_500_000, 31_500_000)
    assert line.hub_micros == 2_180_000
    assert 10 * tariff.card_cost(rules, 3_500_000) == 4_000_000, "each to the nearest cent"


def test_a_payout_is_covered_where_the_fee_on_it_is_its_cost() -> None:
    rules = rules_of(MoneySection(), pseudonym_key=b"")
    prices = tariff.Tariff(payout_bp=25, payout_micros=100_000, account_micros=2_000_000)
    smallest = tariff.smallest_payout(rules, prices)
    assert smallest is not None
    assert smallest // 9 >= prices.of(smallest)
    assert (smallest - 10_000) // 9 < prices.of(smallest - 10_000)
    assert tariff.smallest_payout(rules, tariff.Tariff(payout_bp=0, payout_micros=0, account_micros=0)) == 10_000
