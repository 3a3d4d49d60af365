"""A connector is on when it has what its card asks for, and everybody can see why it is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from config import keys
from config.complaints import Misconfigured
from config.networks.roster import Entry, muster
from config.settings import Settings
from connectors.base import Card, Connector, Delivery, Light
from connectors.github import connector as github
from connectors.sandbox import body_of, harbour, square

KEYS = keys.fresh()


@dataclasses.dataclass(frozen=True)
class _Risky:
    card: Card


def _light(action: str, colour: Any) -> Light:
    return Light(action=action, colour=colour, clause="", url="", read_on=date(2026, 11, 1))


RISKY = _Risky(
    Card(
        platform="risky",
        title="Risky",
        route="stream",
        abilities=frozenset({"likes"}),
        what_counts="",
        creator="",
        lights=(_light("likes", "red"),),
    )
)
CONNECTORS: Mapping[str, Connector] = {
    "github": github,
    "sandbox": square,
    "sandbox2": harbour,
    "risky": RISKY,
}


def _muster(**settings: Any) -> dict[str, Entry]:
    return muster(Settings(**settings), CONNECTORS, KEYS)


def test_with_nothing_configured_only_the_sandbox_is_on() -> None:
    entries = _muster()
    assert {name for name, entry in entries.items() if entry.on} == {"sandbox", "sandbox2"}
    assert entries["github"].why == "not configured: needs webhook_secret"
    assert entries["sandbox"].secrets == {"secret": (KEYS.sandbox,)}


def test_a_real_connector_switches_the_sandbox_off() -> None:
    entries = _muster(connectors={"github": {"webhook_secret": ["new", "old"]}})
    assert {name for name, entry in entries.items() if entry.on} == {"github"}
    assert entries["github"].secrets == {"webhook_secret": (b"new", b"old")}
    assert entries["github"].address == "http://127.0.0.1:8080/webhooks/github"
    assert entries["sandbox"].why == "a real connector is configured"


def test_the_sandbox_can_be_asked_for_beside_a_real_connector() -> None:
    entries = _muster(connectors={"github": {"webhook_secret": "s"}}, sandbox={"enabled": True})
    assert entries["github"].on
    assert entries["sandbox"].on


def test_the_sandbox_stays_off_where_others_could_reach_it() -> None:
    entries = _muster(hub={"host": "0.0.0.0"})
    assert entries["sandbox"].why == "the sandbox runs on loopback only"
    with pytest.raises(Misconfigured, match=r"set hub.host to 127.0.0.1 or sandbox.enabled to false"):
        _muster(hub={"host": "0.0.0.0"}, sandbox={"enabled": True})


def test_a_configured_connector_can_be_switched_off() -> None:
    entries = _muster(connectors={"github": {"enabled": False}})
    assert entries["github"].why == "switched off by enabled = false"
    assert entries["sandbox"].on


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"connectors": {"githup": {}}}, "no connector named githup: did you mean github?"),
        ({"connectors": {"github": {}}}, "connectors.github.webhook_secret is missing: "),
        ({"connectors": {"github": {"webhook_secret": ""}}}, "connectors.github.webhook_secret is missing: "),
        (
            {"connectors": {"github": {"webhook_secrte": "s"}}},
            "unknown setting connectors.github.webhook_secrte: did you mean webhook_secret?",
        ),
        (
            {"accept_policy_risk": ["risky.like"]},
            "accept_policy_risk names 'risky.like', which no connector does",
        ),
        ({"connectors": {"github": {"accept_policy_risk": ["x"]}}}, "accept_policy_risk belongs at the top"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        _muster(**settings)
    assert str(caught.value).startswith(complaint)


def test_a_red_action_stays_off_until_it_is_accepted_by_name() -> None:
    refused = _muster(connectors={"risky": {}})["risky"]
    assert not refused.on
    assert 'unless accept_policy_risk has "risky.likes"' in refused.why
    assert _muster(connectors={"risky": {}}, accept_policy_risk=["risky.likes"])["risky"].on


def test_secrets_are_not_shown() -> None:
    entries = _muster(connectors={"github": {"webhook_secret": "canary"}})
    assert "canary" not in repr(entries)


def test_a_webhook_goes_on_without_the_action_that_was_not_accepted() -> None:
    lights = (_light("likes", "red"), _light("messages", "amber"))
    partly = dataclasses.replace(square.card, platform="partly", pretend=False, secrets=(), lights=lights)

    class Partly:
        card = partly
        challenge, verify, translate = square.challenge, square.verify, square.translate

    def translated(**settings: Any) -> list[str]:
        entry = muster(Settings(connectors={"partly": {}}, **settings), {"partly": Partly()}, KEYS)["partly"]
        assert entry.on
        assert entry.webhook is not None
        return [type(event).__name__ for event in entry.webhook.translate(delivery)]

    by, at = {"id": "ada", "name": "Ada"}, "2026-11-10T12:00:00+00:00"
    liked = {"id": "e1", "type": "liked", "at": at, "by": by, "author": by, "thing": {"id": "ada/1"}, "order": 1}
    said = {"id": "e2", "type": "messaged", "at": at, "by": by, "text": "status"}
    body = body_of("sandbox", [liked, said])
    delivery = Delivery(method="POST", path="/", body=body, received_at=datetime(2026, 11, 10, 12, tzinfo=UTC))
    assert translated() == ["Messaged"]
    assert translated(accept_policy_risk=["partly.likes"]) == ["Liked", "Messaged"]
