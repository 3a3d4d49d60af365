"""The two protocols of signing in, against servers that check everything, and answers that are worth nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import aiohttp
import pytest

from connectors.base import Asker
from connectors.client import Client, Unanswered
from connectors.linking import Departure, Grant, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow, Tokens
from connectors.oauth.signed import SignedFlow, sign
from core.events import AccountRef
from tests.platforms.misbehaving import DROPS, Passing, Says
from tests.platforms.signing_in import Refused, SignsIn, SignsInSigned

CALLBACK = "https://hub.example/link/x/callback"


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


@dataclass
class Bench:
    fake: SignsIn
    asker: Asker
    flow: CodeFlow

    def depart(self, intent: Any = "link") -> Departure:
        return self.flow.departure(state="a state", callback=CALLBACK, intent=intent)

    async def exchange(self, back: str, kept: Any = None, **more: Any) -> Tokens:
        given = {"query": query_of(back), "kept": kept if kept is not None else {}, "callback": CALLBACK}
        return await self.flow.exchange(self.asker, **{**given, **more})

    async def whole(self) -> Tokens:
        departure = self.depart()
        return await self.exchange(await self.fake.consent(departure.url, "7"), departure.kept)

    async def refresh(self, token: str | None) -> Tokens:
        account = AccountRef(platform="x", account_id="7")
        grant = Grant(account=account, access_token="old", refresh_token=token, scopes=("read",))
        return await self.flow.refresh(self.asker, grant)


def flow(fake: SignsIn, **more: Any) -> CodeFlow:
    given = {"pkce": fake.demands_pkce, "basic": fake.basic, "separator": fake.separator}
    return CodeFlow(
        platform="x",
        title="x",
        client_id=fake.client_id,
        client_secret=fake.client_secret,
        authorize=fake.base + fake.authorize_path,
        tokens=fake.base + fake.token_path,
        scopes={"link": ("read", "list"), "receive": ("read", "pages")},
        **{**given, "method": "GET" if fake.by_get else "POST", **more},
    )


RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "pkce": {"demands_pkce": True},
    "basic": {"basic": True},
    "commas": {"separator": ","},
    "by get": {"by_get": True},
    "rotating": {"demands_pkce": True, "refreshes": True, "rotates": True, "lives": timedelta(hours=1)},
    "keeping": {"basic": True, "refreshes": True, "lives": timedelta(hours=2)},
}


@pytest.fixture
def time() -> Passing:
    return Passing()


@pytest.fixture
def rule() -> str:
    return "rotating"


@pytest.fixture
async def bench(time: Passing, rule: str) -> AsyncIterator[Bench]:
    fake = SignsIn(clock=time.clock)
    fake.callbacks.add(CALLBACK)
    for name, value in RULES[rule].items():
        setattr(fake, name, value)
    async with fake, Client(hub="hub", **time.parts) as client:
        yield Bench(fake, Asker(client=client, clock=time.clock), flow(fake))


# The code flow


@pytest.mark.parametrize("rule", RULES)
async def test_a_code_becomes_tokens(bench: Bench, time: Passing, rule: str):
    tokens = await bench.whole()
    lent = bench.fake.access_by(tokens.access_token)
    assert lent is not None
    assert (lent.user, tokens.scopes) == ("7", ("read", "list"))
    lives = RULES[rule].get("lives")
    assert tokens.expires_at == (time.clock() + lives if lives else None)
    assert (tokens.refresh_token is not None) == ("refreshes" in RULES[rule])
    assert tokens.raw["token_type"] == "bearer"


async def test_each_intent_asks_for_its_scopes_and_unknown_ones_for_none(bench: Bench):
    assert query_of(bench.depart("receive").url)["scope"] == "read pages"
    assert "scope" not in query_of(bench.depart("bot").url)


async def test_the_state_and_the_call_back_go_along_unchanged(bench: Bench):
    query = query_of(bench.depart().url)
    assert (query["state"], query["redirect_uri"], query["response_type"]) == ("a state", CALLBACK, "code")


async def test_further_parameters_go_along(bench: Bench):
    url = flow(bench.fake, more={"prompt": "select_account"}).departure(state="s", callback=CALLBACK, intent="link")
    assert query_of(url.url)["prompt"] == "select_account"


async def test_an_address_keeps_its_own_query_and_scheme():
    for scheme in ("https", "http"):
        address = f"{scheme}://x.example/https/go?a=b"
        own = CodeFlow(platform="x", title="X", client_id="c", client_secret="s", authorize=address, tokens="")
        made = own.departure(state="s", callback=CALLBACK, intent="link")
        assert made.url.startswith(f"{scheme}://x.example/https/go?a=b&response_type=code")


async def test_the_verifier_is_kept_and_its_challenge_sent(bench: Bench):
    departure = bench.depart()
    assert 43 <= len(departure.kept["verifier"]) <= 128
    assert departure.kept["verifier"] not in departure.url
    assert departure.kept["verifier"] not in repr(departure)
    back = await bench.fake.consent(departure.url, "7")
    with pytest.raises(NotAdmitted):
        await bench.exchange(back, bench.depart().kept)


async def test_a_code_is_good_once_and_for_a_minute(bench: Bench, time: Passing):
    departure = bench.depart()
    back = await bench.fake.consent(departure.url, "7")
    first = await bench.exchange(back, departure.kept)
    with pytest.raises(NotAdmitted):
        await bench.exchange(back, departure.kept)
    assert bench.fake.access_by(first.access_token) is None
    back = await bench.fake.consent(departure.url, "7")
    time.now += 60
    with pytest.raises(NotAdmitted):
        await bench.exchange(back, departure.kept)


async def test_another_call_back_address_is_refused(bench: Bench):
    departure = bench.depart()
    back = await bench.fake.consent(departure.url, "7")
    with pytest.raises(NotAdmitted):
        await bench.exchange(back, departure.kept, callback=CALLBACK + "/")
    with pytest.raises(Refused):
        await bench.fake.consent(departure.url.replace("hub.example", "evil.example"), "7")


@pytest.mark.parametrize("error", ["access_denied", "server_error", "invalid_scope", "", "\udcff", "x" * 10_000])
async def test_an_error_that_came_back_is_told_and_the_platform_is_not_asked(bench: Bench, error: str):
    with pytest.raises(NotAdmitted) as refused:
        await bench.exchange("", bench.depart().kept, query={"error": error, "code": "c"})
    assert refused.value.declined == (error == "access_denied")
    assert "x" * 100 not in str(refused.value)
    assert bench.fake.heard == []


GOOD = {"access_token": "a", "token_type": "bearer"}
WORTHLESS: list[Any] = [
    b"",
    b"<html>",
    b"\xff",
    b"[" * 100_000,
    b'{"access_token": NaN}',
    [],
    "text",
    None,
    {},
    *({**GOOD, "access_token": each} for each in (None, "", 7, ["a"], "a b\n", "ü", "x" * 20_000)),
    *({**GOOD, "token_type": each} for each in (7, "mac", None, [])),
    *({**GOOD, "refresh_token": each} for each in (7, [], "\r\n")),
]


@pytest.mark.parametrize("body", WORTHLESS, ids=lambda body: repr(body)[:50])
async def test_a_worthless_answer_gives_no_tokens(bench: Bench, body: Any):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    departure = bench.depart()
    back = await bench.fake.consent(departure.url, "7")
    bench.fake.suffer(Says(200, {}, sent))
    with pytest.raises(Unanswered):
        await bench.exchange(back, departure.kept)
    bench.fake.suffer(Says(200, {}, sent))
    with pytest.raises(Unanswered):
        await bench.refresh("r")


@pytest.mark.parametrize(
    ("life", "seconds"),
    [
        *[(3600, 3600), ("3600", 3600), (3599.7, 3599), (0, None), ("", None), (None, None), (10**12, None)],
        *((each, None) for each in (-1, True, "soon", "nan", [], {}, "1" * 5000)),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_the_life_of_a_token_is_read_as_platforms_write_it(
    bench: Bench, time: Passing, life: Any, seconds: int | None
):
    bench.fake.suffer(Says(200, {}, json.dumps({**GOOD, "expires_in": life}).encode()))
    tokens = await bench.exchange("?code=c", bench.depart().kept)
    assert tokens.expires_at == (None if seconds is None else time.clock() + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [("a b", ("a", "b")), ("a,b", ("a", "b")), (["a", 7], ("a",)), (None, ("read", "list")), ("", ())],
)
async def test_scopes_are_read_as_platforms_write_them(bench: Bench, scope: Any, scopes: tuple[str, ...]):
    bench.fake.suffer(Says(200, {}, json.dumps({**GOOD, "scope": scope}).encode()))
    assert (await bench.exchange("?code=c", bench.depart().kept)).scopes == scopes


@pytest.mark.parametrize("fault", [Says(500), Says(503), Says(429), DROPS], ids=str)
async def test_a_lost_answer_is_not_asked_for_again(bench: Bench, fault: Any):
    departure = bench.depart()
    back = await bench.fake.consent(departure.url, "7")
    bench.fake.suffer(fault)
    with pytest.raises(Unanswered):
        await bench.exchange(back, departure.kept)
    bench.fake.suffer(fault)
    with pytest.raises(Unanswered):
        await bench.refresh("r")
    assert len(bench.fake.heard) <= 2


@pytest.mark.parametrize(
    ("status", "error", "raised"),
    [
        (400, "invalid_grant", Withdrawn),
        (401, "invalid_grant", Withdrawn),
        (400, "invalid_request", Withdrawn),
        (200, "bad_refresh_token", Withdrawn),
        (401, "invalid_client", Unanswered),
        (400, "unauthorized_client", Unanswered),
        (403, "forbidden", Unanswered),
        (404, "gone", Unanswered),
        (400, "temporarily_unavailable", Unanswered),
        (200, "odd", Unanswered),
        (400, {"code": 190}, Withdrawn),
    ],
)
async def test_a_refresh_ends_the_access_only_where_the_platform_says_so(
    bench: Bench, status: int, error: Any, raised: type[Exception]
):
    bench.fake.suffer(Says(status, {}, json.dumps({"error": error}).encode()))
    with pytest.raises(raised):
        await bench.refresh("r")


async def test_a_rotated_refresh_token_is_good_once(bench: Bench):
    tokens = await bench.whole()
    assert tokens.refresh_token is not None
    fresh = await bench.refresh(tokens.refresh_token)
    assert fresh.refresh_token not in (None, tokens.refresh_token)
    assert bench.fake.access_by(tokens.access_token) is None
    with pytest.raises(Withdrawn):
        await bench.refresh(tokens.refresh_token)
    assert bench.fake.access_by(fresh.access_token) is None


async def test_a_new_refresh_token_is_not_lost_by_a_life_that_cannot_be_read(bench: Bench):
    answer = b'{"access_token": "b", "token_type": "bearer", "refresh_token": "new", "expires_in": 1e400}'
    bench.fake.suffer(Says(200, {}, answer))
    fresh = await bench.refresh("used up")
    assert (fresh.refresh_token, fresh.expires_at) == ("new", None)


@pytest.mark.parametrize("code", [1, 101])
async def test_facebooks_numbers_for_a_wrong_secret_are_the_hubs_fault(bench: Bench, code: int):
    error = {"message": "Error validating client secret.", "type": "OAuthException", "code": code}
    bench.fake.suffer(Says(400, {}, json.dumps({"error": error}).encode()))
    with pytest.raises(NotAdmitted, match="runs"):
        await bench.exchange("?code=c", bench.depart().kept)


@pytest.mark.parametrize("rule", ["keeping"])
async def test_a_refresh_token_that_is_not_renewed_is_kept(bench: Bench):
    tokens = await bench.whole()
    assert tokens.refresh_token is not None
    assert (await bench.refresh(tokens.refresh_token)).refresh_token == tokens.refresh_token


async def test_the_wrong_secret_of_ours_is_nobodys_withdrawal(bench: Bench):
    tokens = await bench.whole()
    assert tokens.refresh_token is not None
    bench.flow = replace(bench.flow, client_secret="old")
    with pytest.raises(Unanswered, match="secret"):
        await bench.refresh(tokens.refresh_token)
    departure = bench.depart()
    back = await bench.fake.consent(departure.url, "7")
    with pytest.raises(NotAdmitted, match="runs"):
        await bench.exchange(back, departure.kept)


async def test_without_a_refresh_token_there_is_nothing_to_refresh(bench: Bench):
    asked = len(bench.fake.heard)
    with pytest.raises(Withdrawn, match="link the account again"):
        await bench.refresh(None)
    assert len(bench.fake.heard) == asked


async def test_scopes_that_a_refresh_does_not_name_are_the_old_ones(bench: Bench):
    tokens = await bench.whole()
    assert (await bench.refresh(tokens.refresh_token)).scopes


async def test_tokens_make_a_grant(bench: Bench):
    tokens = await bench.whole()
    account = AccountRef(platform="x", account_id="7")
    grant = tokens.grant(account, more={"page": "1"})
    assert (grant.account, grant.access_token, grant.more) == (account, tokens.access_token, {"page": "1"})
    assert (grant.expires_at, grant.scopes) == (tokens.expires_at, ("read", "list"))
    for secret in (tokens.access_token, tokens.refresh_token):
        assert secret is not None
        assert secret not in repr(tokens) + repr(grant)


async def test_the_browser_gets_the_same_as_a_test_does(bench: Bench):
    departure = bench.depart()
    async with aiohttp.ClientSession() as session:
        async with session.get(departure.url) as page:
            assert "Agree" in await page.text()
        back = await bench.fake.consent(departure.url, "7", session)
        assert "error=access_denied" in await bench.fake.decline(departure.url, session=session)
    assert (await bench.exchange(back, departure.kept)).access_token


# OAuth 1.0a


@dataclass
class SignedBench:
    fake: SignsInSigned
    asker: Asker
    flow: SignedFlow

    async def depart(self, **more: str) -> Departure:
        given = {"key": self.fake.api_key, "secret": self.fake.api_secret, **more}
        return await self.flow.departure(self.asker, platform="x", state="a state", callback=CALLBACK, **given)

    async def exchange(self, query: dict[str, str], kept: Any, **more: str) -> Any:
        given = {"key": self.fake.api_key, "secret": self.fake.api_secret, **more}
        return await self.flow.exchange(self.asker, platform="x", query=query, kept=kept, **given)


@pytest.fixture
async def signing(time: Passing) -> AsyncIterator[SignedBench]:
    async with SignsInSigned(clock=time.clock) as fake, Client(hub="hub", **time.parts) as client:
        made = SignedFlow(
            request=fake.base + fake.request_path,
            authorize=fake.base + fake.authorize_path,
            access=fake.base + fake.access_path,
            more={"perms": "read"},
        )
        yield SignedBench(fake, Asker(client=client, clock=time.clock), made)


@pytest.mark.parametrize(
    ("version", "signature"), [("1", "tnnArxj06cWHq44gCs1OSKk/jLY="), ("1.1", "hCtSmYh+iHYCEqBWrE7C7hYmtUk=")]
)
def test_the_signature_is_the_one_that_twitter_publishes(monkeypatch: pytest.MonkeyPatch, version: str, signature: str):
    # https://developer.twitter.com/en/docs/authentication/oauth-1-0a/creating-a-signature, old and new form
    nonce = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"
    monkeypatch.setattr("oauthlib.oauth1.rfc5849.generate_nonce", lambda: nonce)
    headers = sign(
        "POST",
        f"https://api.twitter.com/{version}/statuses/update.json?include_entities=true",
        {"status": "Hello Ladies + Gentlemen, a signed OAuth request!"},
        key="xvz1evFS4wEEPTGEFPHBog",
        secret="kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        token_secret="LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        at=datetime.fromtimestamp(1318622958, UTC),
    )
    assert f'oauth_signature="{quote(signature, safe="")}"' in headers["authorization"]


async def test_three_legs_lead_to_a_token(signing: SignedBench):
    departure = await signing.depart()
    assert query_of(departure.url)["perms"] == "read"
    back = query_of(await signing.fake.consent(departure.url, "9@N00"))
    assert back["state"] == "a state"
    tokens = await signing.exchange(back, departure.kept)
    assert signing.fake.lent[tokens.token].user == "9@N00"
    assert signing.fake.lent[tokens.token].secret == tokens.token_secret
    assert tokens.token not in repr(tokens)
    assert tokens.token_secret not in repr(tokens)
    assert departure.kept["token_secret"] not in repr(departure) + departure.url
    with pytest.raises(NotAdmitted):
        await signing.exchange(back, departure.kept)


@pytest.mark.parametrize("wrong", ["oauth_token", "oauth_verifier", "kept", "empty"])
async def test_what_does_not_belong_together_is_refused(signing: SignedBench, wrong: str):
    departure = await signing.depart()
    back = query_of(await signing.fake.consent(departure.url, "7"))
    kept = dict(departure.kept)
    match wrong:
        case "kept":
            kept = dict((await signing.depart()).kept)
        case "empty":
            kept = {}
        case name:
            back[name] = "ü wrong"
    with pytest.raises(NotAdmitted):
        await signing.exchange(back, kept)


async def test_a_no_is_told_as_one(signing: SignedBench):
    departure = await signing.depart()
    back = query_of(await signing.fake.decline(departure.url))
    with pytest.raises(NotAdmitted) as refused:
        await signing.exchange(back, departure.kept)
    assert refused.value.declined


async def test_a_wrong_key_of_ours_is_no_members_fault(signing: SignedBench):
    for wrong in ({"key": "wrong"}, {"secret": "wrong"}):
        with pytest.raises(Unanswered, match=r"consumer_key_unknown|signature_invalid"):
            await signing.depart(**wrong)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"oauth_token=a", b"oauth_token=a&oauth_token_secret=%0a"])
async def test_worthless_answers_of_a_signed_leg(signing: SignedBench, body: bytes):
    departure = await signing.depart()
    back = query_of(await signing.fake.consent(departure.url, "7"))
    signing.fake.suffer(Says(200, {}, body))
    with pytest.raises(Unanswered):
        await signing.exchange(back, departure.kept)
    signing.fake.suffer(Says(200, {}, body))
    with pytest.raises(Unanswered):
        await signing.depart()


async def test_a_signed_leg_is_asked_once(signing: SignedBench):
    signing.fake.suffer(Says(500))
    with pytest.raises(Unanswered):
        await signing.depart()
    assert len(signing.fake.heard) == 1


async def test_a_nonce_and_a_time_are_good_once_and_now(signing: SignedBench, time: Passing):
    url = signing.fake.base + signing.fake.request_path
    given = {"key": signing.fake.api_key, "secret": signing.fake.api_secret, "callback": CALLBACK}
    headers = sign("POST", url, at=time.clock(), **given)
    asked = [
        await signing.asker.client.request("POST", url, platform="x", headers=each)
        for each in (headers, headers, sign("POST", url, at=time.clock() - timedelta(hours=1), **given))
    ]
    assert [each.status for each in asked] == [200, 401, 401]
    assert [dict(parse_qsl(each.text())).get("oauth_problem") for each in asked] == [
        None,
        "nonce_used",
        "timestamp_refused",
    ]


async def test_the_protocols_log_nothing(bench: Bench, signing: SignedBench, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    tokens = await bench.whole()
    departure = await signing.depart()
    back = query_of(await signing.fake.consent(departure.url, "7"))
    signed = await signing.exchange(back, departure.kept)
    for secret in (
        tokens.access_token,
        bench.fake.client_secret,
        signed.token,
        signed.token_secret,
        signing.fake.api_secret,
        back["oauth_verifier"],
        departure.kept["token"],
    ):
        assert secret not in unquote(caplog.text)
