"""The hub's door out, against a platform that misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import logging
import traceback
import zlib
from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from connectors.client import (
    MIB,
    Allowance,
    Asked,
    Client,
    Forbidden,
    Garbled,
    Limited,
    Patience,
    TooLarge,
    Unanswered,
    Unreachable,
)
from tests.platforms.misbehaving import (
    CUTS,
    CUTS_CHUNKED,
    DROPS,
    STALLS,
    STALLS_LATE,
    Fault,
    Misbehaving,
    Passing,
    Says,
    always,
)

QUICK = Patience(attempts=4, each=0.05)
FAULTS: list[Fault] = [Says(429), *map(Says, (500, 502, 503, 504)), DROPS, CUTS, CUTS_CHUNKED, STALLS, STALLS_LATE]
CANARY = "canary-5f1e"


@pytest.fixture
async def platform() -> AsyncIterator[Misbehaving]:
    async with Misbehaving() as started:
        yield started


@pytest.fixture
def time() -> Passing:
    return Passing()


@pytest.fixture
def seen() -> list[Asked]:
    return []


@pytest.fixture
async def client(time: Passing, seen: list[Asked]) -> AsyncIterator[Client]:
    async with Client(hub="https://hub.example/bot", observe=seen.append, patience=QUICK, **time.parts) as made:
        yield made


async def ask(client: Client, platform: Misbehaving, /, method: str = "GET", path: str = "/", **more: Any) -> Any:
    return await client.request(method, platform.base + path, **({"platform": "tumbler"} | more))


# An ordinary answer


async def test_an_answer_comes_with_status_headers_and_body(client: Client, platform: Misbehaving):
    platform.answers["/a"] = always(404, b'{"why":"gone"}', {"X-Odd": "1", "Content-Type": "application/json"})
    answer = await ask(client, platform, path="/a", params={"q": "a b&c"})
    assert (answer.status, answer.headers["x-odd"], answer.json()) == (404, "1", {"why": "gone"})
    assert platform.heard[0].query == {"q": "a b&c"}


async def test_the_hub_says_who_it_is_whatever_the_caller_says(client: Client, platform: Misbehaving):
    await ask(client, platform, headers={"User-Agent": "Mozilla", "Accept": "text/html"})
    headers = platform.heard[0].headers
    assert headers["user-agent"] == "flattr-hub (+https://hub.example/bot)"
    assert headers["accept"] == "text/html"


@pytest.mark.parametrize(
    ("given", "sent", "kind"),
    [
        ({"json": {"a": [1, None]}}, b'{"a":[1,null]}', "application/json"),
        ({"form": {"code": "a b"}}, b"code=a+b", "application/x-www-form-urlencoded"),
        ({"body": b"\0raw", "headers": {"Content-Type": "image/png"}}, b"\0raw", "image/png"),
    ],
)
async def test_a_body_is_sent_with_its_type(client: Client, platform: Misbehaving, given: Any, sent: bytes, kind: str):
    await ask(client, platform, "POST", **given)
    assert (platform.heard[0].body, platform.heard[0].headers["content-type"]) == (sent, kind)


async def test_cookies_are_neither_kept_nor_sent(client: Client, platform: Misbehaving):
    platform.answers["/"] = always(headers={"Set-Cookie": "session=1; Path=/"})
    await ask(client, platform)
    await ask(client, platform)
    assert "cookie" not in platform.heard[1].headers


async def test_proxies_of_the_environment_are_not_used(
    client: Client, platform: Misbehaving, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await ask(client, platform)).status == 200


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"NaN", b"[" * 100_000, b'{"a": 1'])
async def test_what_is_no_json_is_garbled(client: Client, platform: Misbehaving, body: bytes):
    platform.answers["/"] = always(body=body)
    answer = await ask(client, platform)
    with pytest.raises(Garbled):
        answer.json()


async def test_text_is_read_by_its_charset_and_hostile_charsets_are_utf8(client: Client, platform: Misbehaving):
    for charset, body, text in [
        ("latin-1", b"\xe4", "ä"),
        ("no-such", "ä".encode(), "ä"),
        ("utf-8", b"\xff", "�"),
        ("base64", b"!", "!"),
    ]:
        platform.answers["/"] = always(body=body, headers={"Content-Type": f"text/html; charset={charset}"})
        assert (await ask(client, platform)).text() == text


# Patience


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_what_may_be_repeated_is_repeated_after_a_fault(client: Client, platform: Misbehaving, fault: Fault):
    platform.suffer(fault, fault)
    assert (await ask(client, platform)).json() == {"ok": True}
    assert len(platform.heard) == 3


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_post_is_sent_once_unless_the_caller_says_otherwise(
    client: Client, platform: Misbehaving, fault: Fault
):
    platform.suffer(fault)
    with pytest.raises(Unanswered) as told:
        await ask(client, platform, "POST", json={})
    assert len(platform.heard) == 1
    assert isinstance(told.value, Limited) or (isinstance(told.value, Unreachable) and told.value.perhaps_done)
    platform.suffer(fault)
    assert (await ask(client, platform, "POST", json={}, repeatable=True)).status == 200
    assert len(platform.heard) == 3


async def test_a_post_that_found_no_connection_is_tried_again_and_surely_not_done(client: Client, time: Passing):
    async with Misbehaving() as gone:
        pass
    with pytest.raises(Unreachable) as told:
        await ask(client, gone, "POST", json={})
    assert not told.value.perhaps_done
    assert len(time.slept) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_a_definite_answer_is_the_callers(client: Client, platform: Misbehaving, status: int):
    platform.suffer(Says(status))
    assert (await ask(client, platform)).status == status
    assert len(platform.heard) == 1


async def test_attempts_are_bounded(client: Client, platform: Misbehaving, time: Passing):
    platform.suffer(*[Says(503)] * 10)
    with pytest.raises(Unreachable) as told:
        await ask(client, platform)
    assert told.value.status == 503
    assert len(platform.heard) == 4
    assert len(time.slept) == 3


async def test_the_whole_time_is_bounded(platform: Misbehaving, time: Passing):
    patience = Patience(attempts=1000, base=8, cap=8)
    async with Client(hub="hub", patience=patience, chance=lambda: 1.0, **time.parts) as client:
        platform.suffer(*[Says(500)] * 50)
        with pytest.raises(Unreachable):
            await ask(client, platform, within=30)
    assert time.slept == [8, 8, 8]


async def test_pauses_are_jittered_over_their_whole_length(platform: Misbehaving, time: Passing):
    chances = iter([0.0, 0.5, 1.0])
    async with Client(hub="hub", chance=lambda: next(chances), **time.parts) as client:
        platform.suffer(*[Says(500)] * 3)
        await ask(client, platform)
    assert time.slept == [0.0, 0.5, 2.0]


# Pace


async def test_retry_after_is_respected_in_seconds_and_as_a_date(client: Client, platform: Misbehaving, time: Passing):
    platform.suffer(Says(429, {"Retry-After": "17"}))
    await ask(client, platform)
    assert time.now >= 17
    at = time.clock()
    soon = format_datetime(at.replace(minute=at.minute + 1), usegmt=True)
    platform.suffer(Says(503, {"Retry-After": soon, "Date": format_datetime(at, usegmt=True)}))
    began = time.now
    await ask(client, platform, within=600)
    assert time.now - began >= 60


async def test_a_longer_wait_than_the_caller_has_is_said_at_once(client: Client, platform: Misbehaving, time: Passing):
    platform.suffer(Says(429, {"Retry-After": "600"}))
    with pytest.raises(Limited) as told:
        await ask(client, platform, within=60)
    assert told.value.retry_after == 600
    with pytest.raises(Limited) as told:
        await ask(client, platform, within=60)
    assert told.value.retry_after == pytest.approx(600, abs=1)
    assert len(platform.heard) == 1
    assert time.slept == []


@pytest.mark.parametrize("headers", [{"Retry-After": "5"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5"}])
async def test_a_403_that_means_too_many_is_waited_for(
    client: Client, platform: Misbehaving, time: Passing, headers: dict[str, str]
):
    platform.suffer(Says(403, headers))
    assert (await ask(client, platform)).status == 200
    assert time.now >= 5


async def test_each_account_and_each_platform_has_its_own_pace(client: Client, platform: Misbehaving, time: Passing):
    spent = Says(200, {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "40"})
    platform.suffer(spent)
    await ask(client, platform, account="ann")
    await ask(client, platform, account="bob")
    await ask(client, platform)
    await ask(client, platform, platform="other")
    await ask(client, platform, platform="other", account="ann")
    assert time.now == 0
    await ask(client, platform, account="ann")
    assert time.now == 40


async def test_a_platform_that_is_unwell_is_so_for_all_accounts(client: Client, platform: Misbehaving, time: Passing):
    platform.suffer(Says(503, {"Retry-After": "600"}))
    for account in ("ann", "bob"):
        with pytest.raises(Unanswered):
            await ask(client, platform, account=account)
    assert len(platform.heard) == 1


async def test_many_at_once_stay_within_a_budget_learnt_on_the_way(platform: Misbehaving, time: Passing):
    windows: dict[int, int] = {}

    async def counting(_: web.Request) -> web.Response:
        window = int(time.now // 60)
        windows[window] = windows.get(window, 0) + 1
        left = 5 - windows[window]
        headers = {"X-RateLimit-Remaining": str(max(left, 0)), "X-RateLimit-Reset-After": str(60 - time.now % 60)}
        return web.Response(status=200 if left >= 0 else 429, headers=headers)

    platform.answers["/"] = counting
    async with Client(hub="hub", **time.parts) as client:
        await asyncio.gather(*(ask(client, platform, within=1000) for _ in range(23)))
    assert max(windows.values()) <= 5
    assert sum(windows.values()) == 23


async def test_an_allowance_holds_before_the_platform_has_said_anything(platform: Misbehaving, time: Passing):
    allowances = {"tumbler": Allowance(requests=3, seconds=10)}
    async with Client(hub="hub", allowances=allowances, **time.parts) as client:
        for _ in range(7):
            await ask(client, platform)
    assert time.now == 20


async def test_a_cancelled_request_blocks_nobody(client: Client, platform: Misbehaving):
    platform.suffer(STALLS)
    async with Client(hub="hub", clock=Passing().clock) as client:
        first = asyncio.create_task(ask(client, platform))
        await platform.was_asked(1)
        second = asyncio.create_task(ask(client, platform))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).status == 200


# The breaker


async def test_a_host_that_is_down_is_left_alone_then_probed_once(client: Client, platform: Misbehaving, time: Passing):
    platform.suffer(*[Says(500)] * 6)
    for _ in range(5):
        with pytest.raises(Unreachable):
            await ask(client, platform, "POST")
    with pytest.raises(Unreachable) as told:
        await ask(client, platform)
    assert len(platform.heard) == 5
    assert told.value.retry_after == pytest.approx(15, abs=0.1)
    time.now += 16
    with pytest.raises(Unreachable):
        await ask(client, platform, "POST")
    assert len(platform.heard) == 6
    time.now += 16
    with pytest.raises(Unreachable):
        await ask(client, platform)
    assert len(platform.heard) == 6
    time.now += 15
    many = await asyncio.gather(*(ask(client, platform) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in many].count(Unreachable) <= 3
    assert (await ask(client, platform)).status == 200


async def test_a_cancelled_probe_lets_another_try(platform: Misbehaving, time: Passing):
    async with Client(hub="hub", patience=Patience(each=60), **time.parts) as client:
        platform.suffer(*[Says(500)] * 5, STALLS)
        for _ in range(5):
            with pytest.raises(Unreachable):
                await ask(client, platform, "POST")
        time.now += 16
        probe = asyncio.create_task(ask(client, platform))
        await platform.was_asked(6)
        probe.cancel()
        await asyncio.wait([probe])
        assert (await ask(client, platform)).status == 200


async def test_refusals_do_not_open_the_breaker(client: Client, platform: Misbehaving):
    platform.suffer(*[Says(404)] * 10)
    for _ in range(11):
        await ask(client, platform)
    assert len(platform.heard) == 11


# Bodies


async def chunked(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    try:
        for _ in range(1000):
            await answer.write(b"x" * 10_000)
    except ConnectionError:
        raise asyncio.CancelledError from None
    return answer


@pytest.mark.parametrize(
    "handler",
    [
        always(body=b"x" * 1001),
        chunked,
        always(body=gzip.compress(b"x" * 1001), headers={"Content-Encoding": "gzip"}),
        always(body=gzip.compress(b"\0" * 50 * MIB), headers={"Content-Encoding": "gzip"}),
        always(body=gzip.compress(bytes(range(256)) * 3, 0) + b"\0" * 500, headers={"Content-Encoding": "gzip"}),
    ],
    ids=["declared", "undeclared", "packed", "bomb", "padded"],
)
async def test_a_larger_body_than_allowed_is_not_read(client: Client, platform: Misbehaving, handler: Any):
    platform.answers["/"] = handler
    with pytest.raises(TooLarge):
        await ask(client, platform, largest=1000)
    assert len(platform.heard) == 1


async def test_a_body_just_as_large_as_allowed_is_read_packed_or_not(client: Client, platform: Misbehaving):
    platform.answers["/plain"] = always(body=b"x" * 1000)
    platform.answers["/packed"] = always(body=gzip.compress(b"x" * 1000), headers={"Content-Encoding": "gzip"})
    for path in ("/plain", "/packed"):
        assert (await ask(client, platform, path=path, largest=1000)).body == b"x" * 1000
    assert (await ask(client, platform, "HEAD", path="/plain", largest=10)).status == 200


async def test_a_packed_body_without_its_end_counts_as_cut_off(client: Client, platform: Misbehaving):
    whole = gzip.compress(b'{"stars": []}' * 50)
    platform.answers["/"] = always(body=whole[:-9], headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unreachable):
        await ask(client, platform)
    assert len(platform.heard) == 4


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        ("gzip", b"not packed"),
        ("br", b"\x0b\x02"),
        ("deflate", zlib.compress(b"x")),
        ("gzip", gzip.compress(b"x", mtime=0) + b"y"),
    ],
)
async def test_a_body_packed_wrongly_is_garbled(client: Client, platform: Misbehaving, packing: str, body: bytes):
    platform.answers["/"] = always(body=body, headers={"Content-Encoding": packing})
    with pytest.raises(Garbled):
        await ask(client, platform)


# Redirects of a platform of ours


async def test_a_redirect_within_the_platform_is_followed(client: Client, platform: Misbehaving):
    platform.answers["/old"] = always(301, headers={"Location": "/new?page=2"})
    answer = await ask(client, platform, path="/old", headers={"Authorization": CANARY})
    assert answer.url == f"{platform.base}/new?page=2"
    assert platform.heard[1].headers["authorization"] == CANARY


async def test_a_redirect_elsewhere_is_not_followed(client: Client, platform: Misbehaving):
    async with Misbehaving() as other:
        platform.answers["/"] = always(302, headers={"Location": other.base})
        assert (await ask(client, platform, headers={"Authorization": CANARY})).status == 302
        assert other.heard == []


async def test_a_redirect_in_a_circle_ends(client: Client, platform: Misbehaving):
    platform.answers["/"] = always(302, headers={"Location": "/"})
    with pytest.raises(Forbidden):
        await ask(client, platform)
    assert len(platform.heard) == 6


async def test_a_post_is_not_redirected(client: Client, platform: Misbehaving):
    platform.answers["/"] = always(307, headers={"Location": "/new"})
    assert (await ask(client, platform, "POST", json={})).status == 307


@pytest.mark.parametrize("url", ["", "ftp://example.org", "http://", "http://[::1", "/path", "http://x:99999/"])
async def test_a_base_address_that_is_none_is_said_so(client: Client, url: str):
    with pytest.raises(Forbidden):
        await client.request("GET", url, platform="tumbler")


# Secrets and metrics


@pytest.mark.parametrize(
    "fault",
    [
        *FAULTS,
        Says(200, {"Content-Encoding": "br"}),
        Says(200, body=b"x" * 3000),
        Says(302, {"Location": f"http://[{CANARY}"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("foreign", [False, True])
async def test_no_secret_is_in_a_log_or_an_error(
    client: Client, platform: Misbehaving, caplog: pytest.LogCaptureFixture, fault: Fault, foreign: bool
):
    caplog.set_level(logging.DEBUG)
    platform.suffer(*[fault] * 4)
    path = f"/bot123:{CANARY}/{CANARY}-{'0123456789' * 2}"
    url = f"{platform.base}{path}?access_token={CANARY}&{CANARY}-{'9' * 20}#{CANARY}"
    try:
        answer = await client.request(
            "POST",
            url,
            platform="tumbler",
            account=CANARY,
            repeatable=True,
            largest=1000,
            headers={"Authorization": f"Bearer {CANARY}"},
            params={"client_secret": CANARY, "code": CANARY},
            json={"password": CANARY},
            foreign=foreign,
        )
        assert answer.status == 302
        assert not foreign
        said, chained = "", (None, None)
    except Unanswered as error:
        said = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        chained = (error.__cause__, error.__context__)
    assert CANARY not in said + caplog.text
    assert chained == (None, None)


async def test_every_attempt_is_observed_without_its_path(client: Client, platform: Misbehaving, seen: list[Asked]):
    platform.suffer(DROPS, Says(500))
    await ask(client, platform, path=f"/{CANARY}")
    assert [(each.outcome, each.status) for each in seen] == [
        ("unreachable", None),
        ("answered", 500),
        ("answered", 200),
    ]
    assert {(each.platform, each.host) for each in seen} == {("tumbler", f"127.0.0.1:{platform.port}")}
    assert CANARY not in repr(seen)


async def test_a_caller_cannot_give_two_bodies(client: Client, platform: Misbehaving):
    with pytest.raises(TypeError, match="only one"):
        await ask(client, platform, "POST", json={}, body=b"")
