"""When a list that no longer shows a like is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.listings import marks, vanishing
from core.listings.marks import Known
from core.listings.terms import Terms
from core.listings.vanishing import Missed, Shown, after, proved_missing, to_ask

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DIRECT = Terms(
    often=HOUR / 6, seldom=HOUR * 2, whole=HOUR * 6, newest_first=True, timed=False, needs_grant=False
)  # fmt: skip
INDIRECT = Terms(
    **{name: getattr(DIRECT, name) for name in Terms.__slots__ if name not in ("agreeing", "agreeing_for", "direct")},
    agreeing=2,
    agreeing_for=HOUR * 12,
    direct=False,
)
IDS = st.lists(st.integers(0, 60).map(lambda each: each * 2), unique=True, max_size=30)


def shown(*listed: int, proves="everything", total=None, at=AT, **more) -> Shown:
    return Shown(listed=listed, proves=proves, total=total, at=at, **more)


@given(
    known=IDS,
    listed=IDS,
    proves=st.sampled_from(["nothing", "newest", "everything"]),
    total=st.none() | st.integers(0, 30),
)
def test_what_is_missing_was_known_and_was_not_shown(known, listed, proves, total) -> None:
    found = proved_missing(known, shown(*listed, proves=proves, total=total))
    assert found <= set(known) - set(listed)
    if proves == "nothing" or (proves == "everything" and total not in (None, len(listed))):
        assert not found
    elif proves == "everything":
        assert found == set(known) - set(listed)


@given(known=IDS, cut=st.integers(0, 30), gone=st.sets(st.integers(0, 60).map(lambda each: each * 2)))
def test_the_newest_prove_what_stood_before_the_last_of_them(known, cut, gone) -> None:
    there = [each for each in known if each not in gone]
    page = there[:cut]
    found = proved_missing(known, shown(*page, proves="newest"))
    last = known.index(page[-1]) if page else 0
    assert found == {each for each in known[:last] if each in gone}


@given(known=IDS, page=IDS, order=st.randoms())
def test_a_page_in_another_order_proves_nothing_of_the_newest(known, page, order) -> None:
    there = [each for each in known if each in page]
    mixed = list(there)
    order.shuffle(mixed)
    if mixed != there:
        assert not proved_missing(known, shown(*mixed, proves="newest"))


def test_what_is_there_besides_is_not_missing() -> None:
    assert proved_missing([2, 4, 6], shown(2, besides=frozenset({4}))) == {6}
    assert proved_missing([2, 4, 6], shown(2, besides=frozenset({4}), total=2)) == {6}
    assert proved_missing([2, 4, 6], shown(2, besides=frozenset({4}), total=3)) == frozenset()


@given(known=IDS, listed=IDS)
def test_a_merged_list_has_all_of_both_in_the_listing_s_order(known, listed) -> None:
    both = marks.merged(known, listed)
    assert sorted(both) == sorted(set(known) | set(listed))
    assert [each for each in both if each in set(listed)] == listed
    if marks.in_order(known, listed):
        assert [each for each in both if each in set(known)] == known


@given(order=st.lists(st.text(max_size=5).map(marks.mark), unique=True), old=st.randoms())
def test_what_is_known_survives_storage(order, old) -> None:
    known = Known(tuple(order), frozenset(each for each in order if old.random() < 0.5))
    assert marks.unpack(marks.pack(known)) == known
    assert len(marks.pack(known)) == 8 * len(order)


@given(
    st.dictionaries(
        st.text(max_size=5).map(marks.mark),
        st.builds(
            Missed,
            times=st.integers(1, 9),
            first_at=st.integers(0, 10**6).map(lambda seconds: AT - timedelta(seconds=seconds)),
            last_at=st.just(AT),
            held_at=st.none() | st.just(AT),
            ripe=st.booleans(),
            asked=st.integers(0, 3),
            asked_at=st.none() | st.just(AT),
            stands=st.booleans(),
            gone=st.booleans(),
        ),
    )
)
def test_what_is_missing_survives_storage(missing) -> None:
    assert vanishing.loaded(vanishing.dumped(missing)) == missing


def test_where_the_platform_can_be_asked_one_listing_is_enough_to_ask() -> None:
    missing = after({}, Known((2, 4)), shown(2), DIRECT)
    assert to_ask(missing, AT, 10) == [4]


def test_where_it_cannot_be_asked_listings_must_agree_in_a_row_and_over_time() -> None:
    known = Known((2, 4))
    missing = after({}, known, shown(2), INDIRECT)
    assert to_ask(missing, AT, 10) == []
    sooner = after(missing, known, shown(2, at=AT + HOUR), INDIRECT)
    assert to_ask(sooner, AT + HOUR, 10) == []
    again = after(missing, known, shown(2, 4, at=AT + HOUR), INDIRECT)
    assert again == {}
    later = after(missing, known, shown(2, at=AT + 12 * HOUR), INDIRECT)
    assert to_ask(later, AT + 12 * HOUR, 10) == [4]


def test_a_reading_that_proves_nothing_neither_adds_nor_takes_away() -> None:
    missing = after({}, Known((2, 4)), shown(2), INDIRECT)
    assert after(missing, Known((2, 4)), shown(2, at=AT + HOUR, proves="nothing"), INDIRECT) == missing


MANY = tuple(range(0, 200, 2))


@pytest.mark.parametrize(
    ("known", "gone", "held"), [(100, 20, 0), (100, 21, 21), (30, 20, 0), (30, 21, 21), (400, 40, 0), (400, 41, 41)]
)
def test_more_than_twenty_and_a_tenth_at_once_are_held(known: int, gone: int, held: int) -> None:
    all_ = tuple(range(0, known * 2, 2))
    missing = after({}, Known(all_), shown(*all_[gone:]), INDIRECT)
    assert len(vanishing.held(missing)) == held


def test_what_is_held_is_settled_by_the_platform_s_own_word_at_once() -> None:
    missing = after({}, Known(MANY), shown(*MANY[30:]), DIRECT)
    assert len(vanishing.held(missing)) == 30
    assert to_ask(missing, AT, 1000) == list(MANY[:30])


def test_what_is_held_waits_a_day_where_the_platform_only_lists_and_counts() -> None:
    known = Known(MANY)
    missing = after({}, known, shown(*MANY[30:], total=70), INDIRECT)
    for hours in range(6, 24, 6):
        missing = after(missing, known, shown(*MANY[30:], total=70, at=AT + hours * HOUR), INDIRECT)
        assert to_ask(missing, AT + hours * HOUR, 1000) == []
    wrong = after(missing, known, shown(*MANY[30:], total=100, at=AT + 24 * HOUR), INDIRECT)
    assert to_ask(wrong, AT + 24 * HOUR, 1000) == [], "it counts more than it lists"
    missing = after(missing, known, shown(*MANY[30:], total=70, at=AT + 24 * HOUR), INDIRECT)
    assert len(to_ask(missing, AT + 24 * HOUR, 1000)) == 30


def test_what_is_held_and_listed_again_is_forgotten() -> None:
    missing = after({}, Known(MANY), shown(*MANY[30:]), INDIRECT)
    assert after(missing, Known(MANY), shown(*MANY, at=AT + HOUR), INDIRECT) == {}


def test_a_complete_listing_is_wanted_within_the_hour_of_a_hold() -> None:
    missing = after({}, Known(MANY), shown(*MANY[30:]), INDIRECT)
    wanted = vanishing.whole_wanted(missing, frozenset(), INDIRECT)
    assert wanted is not None
    assert wanted <= AT + HOUR


def test_nobody_is_asked_about_what_never_counted_and_one_listing_does_not_decide_it() -> None:
    known = Known((2, 4), frozenset({4}))
    missing: dict[int, Missed] = {}
    for days in range(7):
        missing = after(missing, known, shown(2, at=AT + timedelta(days=days)), DIRECT)
        assert not missing[4].ripe
        assert to_ask(missing, AT + timedelta(days=days), 10) == []
    assert after(missing, known, shown(2, at=AT + timedelta(days=7)), DIRECT)[4].ripe


def test_a_like_that_stands_though_unlisted_is_asked_about_more_and_more_seldom() -> None:
    known, missing, asked, now = Known((2, 4)), {}, [], AT
    for _ in range(24 * 30):
        missing = after(missing, known, shown(2, at=now), DIRECT)
        for each in to_ask(missing, now, 10):
            asked.append(now)
            missing[each] = vanishing.stands(missing[each], now)
        now += HOUR
    assert 4 <= len(asked) <= 9
    assert asked[-1] - asked[-2] <= timedelta(days=8)
    assert not vanishing.held(missing)


def test_a_question_without_an_answer_is_put_again_later() -> None:
    missing = after({}, Known((2, 4)), shown(2), DIRECT)
    missing[4] = vanishing.unanswered(missing[4], AT)
    assert to_ask(missing, AT + HOUR / 2, 10) == []
    assert to_ask(missing, AT + HOUR, 10) == [4]
