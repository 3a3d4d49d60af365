"""The pretend networks' connector: the contract over its recordings, and what its addresses mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors import kit
from connectors.base import Delivery, Secrets
from connectors.sandbox import SIGNATURE, SandboxConnector, harbour, square


def _signed_by(connector: SandboxConnector) -> kit.Signer:
    def sign(delivery: Delivery, secrets: Secrets) -> Delivery:
        signature = connector.sign(delivery.body, secrets["secret"][0], delivery.received_at)
        return replace(delivery, headers={**delivery.headers, SIGNATURE: (signature,)})

    return sign


CHECKS = [
    pytest.param(check, id=f"{connector.platform}: {check}")
    for connector in (square, harbour)
    for check in kit.checks(connector, Path(__file__).parent / connector.platform, sign=_signed_by(connector))
]


@pytest.mark.parametrize("check", CHECKS)
def test_it_keeps_the_contract(check: kit.Check) -> None:
    check()


def test_an_address_names_its_thing_and_its_author() -> None:
    found = square.resolve(" https://square.example/bruno/1/ ")
    assert found is not None
    thing, author = found
    assert (str(author), thing.native_id, thing.url) == ("sandbox:bruno", "bruno/1", "https://square.example/bruno/1")


@pytest.mark.parametrize(
    "url",
    [
        "https://harbour.example/bruno/1",
        "https://square.example/bruno",
        "https://square.example/bruno/1/2",
        "https://square.example:8080/bruno/1",
        "https://square.example.org/bruno/1",
        "https://square.example/bru%20no/1",
        "ftp://square.example/bruno/1",
        "http://[square.example/bruno/1",
        "bruno/1",
        "",
    ],
)
def test_an_address_of_somebody_else_is_not_taken_for_ones_own(url: str) -> None:
    assert square.resolve(url) is None


def test_the_two_networks_never_speak_of_the_same_account() -> None:
    assert square.account("ada") != harbour.account("ada")
    assert square.thing("bruno/1") != harbour.thing("bruno/1")
