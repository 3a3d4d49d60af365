"""The rules of asking, as numbers: what headers say, when the next request may go, how long a pause lasts."""

from __future__ import annotations

import gzip
import heapq
import itertools
import math
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.outgoing import body
from connectors.outgoing.breaker import Breaker
from connectors.outgoing.budget import Allowance, Budget
from connectors.outgoing.hiding import shown
from connectors.outgoing.pace import Shelf
from connectors.outgoing.patience import Patience
from connectors.outgoing.rates import DAY, Told, read

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
EPOCH = int(AT.timestamp())


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, Told()),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(EPOCH + 30)}, Told(remaining=7, resets_in=31)),
        ({"x-rate-limit-remaining": "7", "x-rate-limit-reset": str(EPOCH + 30)}, Told(remaining=7, resets_in=31)),
        ({"ratelimit-remaining": "7", "ratelimit-reset": "30"}, Told(remaining=7, resets_in=30)),
        ({"x-ratelimit-remaining": "99.0", "x-ratelimit-reset": "30"}, Told(remaining=99, resets_in=30)),
        ({"ratelimit-remaining": "7;w=60", "ratelimit-reset": "30"}, Told(remaining=7, resets_in=30)),
        (
            {"x-ratelimit-remaining": "7", "x-ratelimit-reset": "2026-11-10T12:05:00.5Z"},
            Told(remaining=7, resets_in=301.5),
        ),
        (
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 9), "x-ratelimit-reset-after": "8.25"},
            Told(remaining=0, resets_in=8.25),
        ),
        ({"x-ratelimit-remaining": "7"}, Told()),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "30"}, Told()),
        ({"retry-after": "120"}, Told(retry_after=120)),
        ({"retry-after": "Tue, 10 Nov 2026 12:02:00 GMT"}, Told(retry_after=121)),
        ({"retry-after": "Tue, 10 Nov 2026 11:00:00 GMT"}, Told(retry_after=0)),
        ({"retry-after": "999999999"}, Told(retry_after=DAY)),
        ({"retry-after": "99999999999"}, Told(retry_after=DAY)),
        *(({"retry-after": text}, Told()) for text in ("nan", "inf", "-1", "soon", "1_0", "٣", "9" * 5000, "")),
    ],
)
def test_limits_are_read_as_the_platforms_write_them(headers: dict[str, str], told: Told):
    assert read(headers, AT) == told


def test_times_are_relative_to_the_answers_own_date():
    date = format_datetime(AT - timedelta(hours=3), usegmt=True)
    told = read({"date": date, "x-ratelimit-remaining": "1", "x-ratelimit-reset": str(EPOCH - 3 * 3600 + 60)}, AT)
    assert told.resets_in == 61


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_whatever_a_header_says_the_wait_is_between_nothing_and_a_day(remaining: str, reset: str, date: str):
    told = read(
        {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset, "retry-after": reset, "date": date}, AT
    )
    assert all(each is None or 0 <= each <= DAY for each in (told.resets_in, told.retry_after))


# Law: never more requests than the budget in any window


@settings(deadline=None)
@given(
    st.integers(1, 6),
    st.floats(0.5, 60),
    st.lists(st.floats(0, 20), min_size=1, max_size=60),
)
def test_an_allowance_holds_in_every_window(requests: int, seconds: float, gaps: list[float]):
    budget = Budget(Allowance(requests=requests, seconds=seconds))
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        while (wait := budget.wait(now)) > 0:
            now = max(now + wait, math.nextafter(now, math.inf))
        budget.take(now)
        budget.answered(now, Told(), sent=now)
        sent.append(now)
    for first, after in zip(sent, sent[requests:], strict=False):
        assert after - first >= seconds * (1 - 1e-9)


@given(
    st.integers(1, 6),
    st.floats(1, 60),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20), st.floats(0, 1)), min_size=1, max_size=40),
)
def test_an_allowance_holds_where_requests_arrive_however_long_they_are_on_their_way(
    requests: int, seconds: float, sent: list[tuple[float, float, float]]
):
    budget, now = Budget(Allowance(requests=requests, seconds=seconds)), 0.0
    under_way: list[float] = []
    arrived = []
    for gap, takes, place in sent:
        now += gap
        while True:
            for end in sorted(each for each in under_way if each <= now):
                under_way.remove(end)
                budget.answered(end, Told(), sent=end)
            if (wait := budget.wait(now)) == 0:
                break
            following = min(under_way) if math.isinf(wait) else now + wait
            now = max(min([following, *under_way]), math.nextafter(now, math.inf))
        budget.take(now)
        under_way.append(now + takes)
        arrived.append(now + takes * place)
    arrived.sort()
    for first, after in zip(arrived, arrived[requests:], strict=False):
        assert after - first >= seconds * (1 - 1e-9)


class Server:
    """Counts in fixed windows, as platforms do, and says what is left."""

    def __init__(self, limit: int, window: float, began: float) -> None:
        self.limit, self.window, self.began = limit, window, began
        self.counts: dict[int, int] = {}
        self.lost: dict[int, int] = {}

    def count(self, now: float, *, lost: bool) -> Told | None:
        index = math.floor((now - self.began) / self.window)
        self.counts[index] = self.counts.get(index, 0) + 1
        if lost:
            self.lost[index] = self.lost.get(index, 0) + 1
            return None
        resets_in = self.began + (index + 1) * self.window - now
        return Told(remaining=max(0, self.limit - self.counts[index]), resets_in=resets_in + 0.01)


def play(server: Server, arrivals: list[float], there: list[float], back: list[float], lost: list[bool]) -> float:
    """All requests through one budget and network delays; the time when the last one was sent."""
    budget = Budget(Allowance(requests=10_000, seconds=1))
    order = itertools.count()
    events: list[tuple[float, int, str, Any]] = [(at, next(order), "wants", None) for at in arrivals]
    heapq.heapify(events)
    waiting: list[int] = []
    last, number = 0.0, 0

    def push(at: float, what: str, value: Any = None) -> None:
        heapq.heappush(events, (at, next(order), what, value))

    while events:
        now, _, what, value = heapq.heappop(events)
        if what == "wants":
            waiting.append(1)
        elif what == "arrives":
            told = server.count(now, lost=lost[number % len(lost)])
            push(now + back[number % len(back)], "answer", (value, told))
        elif what == "answer":
            sent, told = value
            budget.answered(now, told, sent=sent)
        while waiting and (wait := budget.wait(now)) == 0:
            waiting.pop()
            budget.take(now)
            push(now + there[number % len(there)], "arrives", now)
            last, number = now, number + 1
        if waiting and math.isfinite(wait):
            push(max(now + wait, math.nextafter(now, math.inf)), "wakes")
    assert not waiting
    return last


delays = st.lists(st.floats(0, 5), min_size=1, max_size=7)


@settings(deadline=None)
@given(
    st.integers(1, 5),
    st.floats(8, 60),
    st.floats(-60, 0),
    st.lists(st.floats(0, 100), min_size=1, max_size=40),
    delays,
    delays,
    st.lists(st.booleans(), min_size=1, max_size=9),
)
def test_a_budget_told_by_headers_is_kept_in_every_window_of_the_platform(
    limit: int,
    window: float,
    began: float,
    arrivals: list[float],
    there: list[float],
    back: list[float],
    lost: list[bool],
):
    server = Server(limit, window, began)
    play(server, arrivals, there, back, [*lost, False])
    # What a lost answer would have said nobody knows, so each may cost one.
    assert all(count <= limit + server.lost.get(index, 0) for index, count in server.counts.items())


def test_a_budget_is_used_up_before_anybody_waits():
    server = Server(5, 60, 0)
    assert play(server, [0.0] * 23, [0.0], [0.1], [False]) < 242
    assert list(server.counts.values()) == [5, 5, 5, 5, 3]


def test_an_answer_that_was_overtaken_does_not_raise_the_budget():
    budget = Budget(Allowance(requests=1000))
    budget.take(0)
    budget.answered(0, Told(remaining=3, resets_in=60), sent=0)
    for _ in range(3):
        budget.take(1)
    budget.answered(2, Told(remaining=0, resets_in=58), sent=1)
    budget.answered(2, Told(remaining=2, resets_in=58), sent=1)
    assert budget.wait(2) == 58


def test_a_slow_answer_is_not_taken_for_one_of_the_next_window():
    budget = Budget(Allowance(requests=1000))
    budget.take(0)
    budget.answered(0, Told(remaining=3, resets_in=8), sent=0)
    for _ in range(3):
        budget.take(0)
    budget.answered(1, Told(remaining=0, resets_in=7), sent=0)
    budget.answered(4, Told(remaining=2, resets_in=8), sent=0)
    assert budget.wait(4) == 4


def test_an_error_page_without_headers_does_not_lift_the_limits():
    budget = Budget(Allowance(requests=1000))
    budget.take(0)
    budget.answered(0, Told(remaining=0, resets_in=10), sent=0)
    budget.take(11)
    budget.answered(11, Told(), sent=11)
    budget.take(12)
    assert math.isinf(budget.wait(12))


@pytest.mark.parametrize(("requests", "seconds"), [(0, 1.0), (1, 0.0), (1, math.inf), (1, math.nan)])
def test_an_impossible_allowance_is_refused(requests: int, seconds: float):
    with pytest.raises(ValueError, match="at least one"):
        Allowance(requests=requests, seconds=seconds)


# Law: bounds of the backoff


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0.01, 10), st.floats(0.01, 100))
def test_a_pause_is_within_its_bounds(attempt: int, chance: float, base: float, cap: float):
    pause = Patience(base=base, cap=cap).pause(attempt, lambda: chance)
    assert 0 <= pause <= cap
    if attempt < 20:
        assert pause == pytest.approx(chance * min(cap, base * 2 ** (attempt - 1)))


# The breaker


def test_a_breaker_rests_twice_as_long_after_each_failed_probe_up_to_a_bound():
    breaker = Breaker(most=2, rest=10, longest=35)
    now = 0.0
    for _ in range(2):
        assert breaker.wait(now) == 0
        breaker.failed(now, probe=breaker.take())
    rests = []
    for _ in range(4):
        rests.append(breaker.wait(now))
        now += breaker.wait(now)
        assert breaker.wait(now) == 0
        assert breaker.take()
        assert breaker.wait(now) > 0, "one probe at a time"
        breaker.failed(now, probe=True)
    assert rests == [10, 20, 35, 35]
    now += 35
    breaker.take()
    breaker.answered()
    breaker.failed(now, probe=breaker.take())
    assert breaker.wait(now) == 0


def test_stragglers_do_not_prolong_a_rest_and_a_cancelled_probe_lets_another_try():
    breaker = Breaker(most=1, rest=10)
    breaker.failed(0, probe=False)
    breaker.failed(9, probe=False)
    assert breaker.wait(10) == 0
    assert breaker.take()
    breaker.forget(probe=True)
    assert breaker.wait(10) == 0


# Unpacking


def test_a_packed_bomb_is_never_unpacked_beyond_the_room_there_is():
    unpack = zlib.decompressobj(wbits=31)
    assert len(body._unpacked(unpack, gzip.compress(bytes(5_000_000)), 1001)) == 1001


# What may be shown


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (
            "https://api.github.com/repos/o/name-of-it/stars?page=2",
            "https://api.github.com/repos/o/name-of-it/stars?page=…",
        ),
        ("https://user:word@x.example:8443/#frag", "https://x.example:8443/"),
        ("https://api.telegram.org/bot123:AAF/sendMessage", "https://api.telegram.org/…/sendMessage"),
        ("https://hooks.slack.com/services/T0/B0/XXXXXXXXXXXXXXXXXXXX1234", "https://hooks.slack.com/services/T0/B0/…"),
        ("https://x.example/a%0Ab?%0A=1&SECRETSECRETSECRET12", "https://x.example/…?…=…&…=…"),
        ("http://[::1", "(not a URL)"),
        ("/path?token=1", "(not a URL)"),
    ],
)
def test_of_a_url_only_the_place_is_shown(url: str, text: str):
    assert shown(url) == text


@settings(deadline=None)
@given(st.text(max_size=60))
def test_what_is_shown_never_breaks_a_line(text: str):
    assert shown(f"https://x.example/{text}?{text}={text}").isprintable()


def test_a_shelf_keeps_what_was_used_last():
    shelf: Shelf[int, list[int]] = Shelf(lambda key: [key], most=3)
    first = shelf[1]
    for key in (2, 3, 1, 4, 5):
        assert shelf[key] == [key]
    assert len(shelf) == 3
    assert shelf[1] is first
