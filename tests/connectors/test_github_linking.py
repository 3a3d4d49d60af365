"""Signing in at GitHub: whose account it is, and that no access to it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.base import Addresses, Asker, CheckingConnector
from connectors.client import Client, Unanswered
from connectors.github import connector
from connectors.kit import linking as kit_linking
from connectors.linking import Admission, Departure, Grant, LinkingConnector, NotAdmitted, Withdrawn
from core.events import AccountRef
from tests.platforms.github_api import FakeGitHub, Time, client
from tests.platforms.misbehaving import DROPS, Says

ADA = 7
CALLBACK = "https://hub.example/link/github/back"
STATE = "a-state-of-the-hub's"
ADDRESSES = Addresses(deliveries="https://hub.example/webhooks/github", callback=CALLBACK)


@dataclass
class Place:
    github: FakeGitHub
    client: Client
    secrets: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    @property
    def asker(self) -> Asker:
        return Asker(client=self.client, secrets=self.secrets, settings=self.github.settings, clock=self.github.clock)

    async def depart(self) -> Departure:
        return await connector.authorize(self.asker, state=STATE, callback=CALLBACK, intent="link")

    async def exchange(self, query: Mapping[str, str], departure: Departure) -> Admission:
        return await connector.exchange(self.asker, query=query, kept=departure.kept, callback=CALLBACK, intent="link")

    async def sign_in(self, user: int = ADA) -> Admission:
        departure = await self.depart()
        return await self.exchange(query_of(await self.github.consent(departure.url, str(user))), departure)


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    github = FakeGitHub()
    await github.start()
    github.user(ADA, "ada")
    github.callbacks = {CALLBACK}
    github.demands_pkce = True
    async with client(Time()) as door:
        yield Place(github, door, {name: (value.encode(),) for name, value in github.secrets.items()})
    await github.stop()


def test_it_can_link_and_check() -> None:
    assert isinstance(connector, LinkingConnector)
    assert isinstance(connector, CheckingConnector)
    assert "linking" in connector.card.abilities
    assert any("{callback}" in step for step in connector.card.setup)


@pytest.mark.parametrize("check", kit_linking.CHECKS, ids=str)
async def test_signing_in(check: kit_linking.LinkingCheck, place: Place) -> None:
    place.github.callbacks.clear()
    await check(
        kit_linking.SignIn(
            connector=connector,
            asker=place.asker,
            account=AccountRef(platform="github", account_id=str(ADA)),
            consent=lambda url: place.github.consent(url, str(ADA)),
            decline=place.github.decline,
            spoil=lambda status, body: place.github.suffer(Says(status, body=body)),
            asked=lambda: len(place.github.heard),
            withdraw=lambda: place.github.withdraw(str(ADA)),
            intents=("link", "receive"),
            pkce=True,
            scopes={"link": (), "receive": ()},
        )
    )


async def test_signing_in_proves_the_account_and_nothing_is_kept(place: Place) -> None:
    admission = await place.sign_in()
    assert admission.account == AccountRef(platform="github", account_id=str(ADA))
    assert (admission.account.handle, admission.account.url) == ("ada", "https://github.com/ada")
    assert (admission.also, admission.grants) == ((), ())
    assert place.github.lent == []
    assert len(place.github.deleted) == 1


async def test_no_scope_is_asked_for_and_the_account_can_be_chosen(place: Place) -> None:
    asked = query_of((await place.depart()).url)
    assert asked.keys() == {
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
        "prompt",
    }
    assert (asked["redirect_uri"], asked["state"], asked["code_challenge_method"]) == (CALLBACK, STATE, "S256")


async def test_the_real_addresses_are_github_s(place: Place) -> None:
    asker = Asker(client=place.client, secrets=place.secrets)
    departure = await connector.authorize(asker, state=STATE, callback=CALLBACK, intent="link")
    assert departure.url.startswith("https://github.com/login/oauth/authorize?")


async def test_who_declines_is_told_so(place: Place) -> None:
    departure = await place.depart()
    with pytest.raises(NotAdmitted) as refused:
        await place.exchange(query_of(await place.github.decline(departure.url)), departure)
    assert refused.value.declined


async def test_a_code_is_usable_once_and_only_by_who_set_out(place: Place) -> None:
    departure, other = await place.depart(), await place.depart()
    query = query_of(await place.github.consent(departure.url, str(ADA)))
    with pytest.raises(NotAdmitted):
        await place.exchange(query, other)
    with pytest.raises(NotAdmitted):
        await place.exchange(query, departure)
    assert place.github.lent == []


@pytest.mark.parametrize("fault", [Says(500), Says(200, body=b"<h1>Unicorn</h1>"), Says(200, body=b"[]"), DROPS])
async def test_an_unwell_github_admits_nobody_and_the_token_is_given_back(place: Place, fault: Any) -> None:
    departure = await place.depart()
    query = query_of(await place.github.consent(departure.url, str(ADA)))
    place.github.suffer(fault)
    with pytest.raises(Unanswered):
        await place.exchange(query, departure)
    assert [heard.path for heard in place.github.heard] == ["/login/oauth/access_token"], "a code is sent once"


@pytest.mark.parametrize(
    "fault", ["500", "truncated", "not json", "403", "an object of another", "429", "403 secondary"]
)
async def test_who_signed_in_is_not_guessed(place: Place, fault: str) -> None:
    place.github.faults.extend([fault] * 4)
    with pytest.raises(Unanswered):
        await place.sign_in()
    assert len(place.github.deleted) == 1, "the token is given back all the same"


async def test_a_token_that_cannot_be_given_back_costs_nobody_the_link(place: Place) -> None:
    departure = await place.depart()
    query = query_of(await place.github.consent(departure.url, str(ADA)))
    place.github.before[1] = lambda: place.github.suffer(*[Says(503)] * 4)
    admission = await place.exchange(query, departure)
    assert admission.account.account_id == str(ADA)
    assert place.github.deleted == []


async def test_there_is_nothing_to_refresh_and_ending_twice_is_no_accident(place: Place) -> None:
    lent = place.github.lend(str(ADA))
    grant = Grant(account=AccountRef(platform="github", account_id=str(ADA)), access_token=lent.access_token)
    await connector.revoke(place.asker, grant)
    await connector.revoke(place.asker, grant)
    assert place.github.lent == []
    with pytest.raises(Withdrawn):
        await connector.refresh(place.asker, grant)


@pytest.mark.parametrize("missing", ["client_id", "client_secret"])
async def test_without_the_app_s_secrets_nobody_can_sign_in_and_they_are_named(place: Place, missing: str) -> None:
    del place.secrets[missing]
    with pytest.raises(Unanswered, match=r"connectors\.github\.client_id and client_secret"):
        await place.depart()


async def test_the_set_up_is_tried(place: Place) -> None:
    assert [(each.what, each.ok) for each in await connector.check(place.asker, ADDRESSES)] == [
        ("token", True),
        ("client_secret", True),
    ]
    place.secrets["token"] = place.secrets["client_secret"] = (b"wrong",)
    refused = await connector.check(place.asker, ADDRESSES)
    assert [each.ok for each in refused] == [False, False]
    assert all(each.remedy for each in refused)
    assert all("wrong" not in f"{each.text}{each.remedy}" for each in refused)


async def test_what_is_not_set_is_said_with_what_it_costs(place: Place) -> None:
    for name in ("token", "client_id"):
        del place.secrets[name]
    token, application = await connector.check(place.asker, ADDRESSES)
    assert (token.ok, application.ok) == (False, False)
    assert "not read" in token.text
    assert CALLBACK in application.remedy
    assert place.github.heard == []
