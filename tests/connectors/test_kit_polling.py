"""The kit's rules of polling are tested: a correct connector passes, each broken one fails for its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import kit
from tests.connectors import broken_polling as broken
from tests.connectors.broken_polling import CARD, Toy, with_card, with_plan

FOLDER = Path(__file__).parent / "toy_polled"

PLAN = "the plan can be carried out"
AS_RECORDED = "each recorded poll gives its page"
ONLY_RECORDED = "only what was recorded is asked"
REPEATABLE = "the same answers give the same page"
CLIENT = "nothing is asked but through the client"
MARKS = "an unreadable mark is no accident"
TIMES = "the like's time is the like's"
ABILITIES = "the polling abilities are as shown"
UNWELL = "an unwell platform is Unanswered"
REFUSED = "a refusal proves nothing"
TRUNCATED = "a truncated answer is no page"
SHORT = "a listing with fewer entries is not everything"
HOSTILE = "a hostile answer is Unanswered or a sound page"
UNLIKED = "what cannot be seen was not taken back"
DOUBTFUL = "a spoilt answer takes nothing back"
SECRECY = "tokens are never said"

# A broken connector, the rule that it breaks, and a word of the reason that the kit must give.
BROKEN: tuple[tuple[Callable[[], Any], str, str], ...] = (
    (broken.RaisesWhatComes, HOSTILE, "poll raised"),
    (broken.SkipsWhatItCannotRead, HOSTILE, "instead of 2"),
    (broken.BelievesShortLists, SHORT, "without entry 0 of"),
    (broken.TakesHalfAnAnswer, TRUNCATED, "cut off after"),
    (broken.TakesErrorsForEmptiness, REFUSED, "with 302"),
    (broken.TakesWebsitesForEmptiness, UNWELL, "a page of HTML"),
    (broken.EndsAccessAtOnce, UNWELL, "gives Expired"),
    (broken.OverlooksExpiry, REFUSED, "gives Unanswered"),
    (broken.OverlooksExpiry, AS_RECORDED, "not Expired"),
    (broken.EndsTheListEarly, HOSTILE, "ends the list"),
    (broken.GoesWhereItIsTold, HOSTILE, "'example.org' was asked"),
    (broken.NamesOthers, AS_RECORDED, "wanted was toy:7"),
    (broken.DatesByTheContent, AS_RECORDED, "and not"),
    (broken.DatesByTheClock, REPEATABLE, "and not"),
    (broken.ForgetsTheTime, AS_RECORDED, "and not"),
    (with_card(knows_like_time=False), TIMES, "knows_like_time=False"),
    (broken.LosesPrivatePosts, AS_RECORDED, "and not"),
    (broken.CountsThePages, REPEATABLE, "and not"),
    (broken.RemembersPages, REPEATABLE, "with what was remembered"),
    (broken.AsksTooMuch, ONLY_RECORDED, "GET /me was asked"),
    (broken.ChangesSomething, ONLY_RECORDED, "PUT /me/seen was asked"),
    (broken.ForgetsTheAccess, ONLY_RECORDED, "member's access"),
    (broken.HasAClientOfItsOwn, CLIENT, "socket"),
    (broken.ReadsMarksBlindly, MARKS, "ValueError"),
    (broken.LogsTokens, SECRECY, "a token is in"),
    (broken.QuotesAnswers, SECRECY, "an echo under 400"),
    (broken.CausesWithTheToken, SECRECY, "a token is in"),
    (broken.TakesGoneForUnliked, UNLIKED, "with 404 for every question"),
    (broken.TakesSilenceForUnliked, UNLIKED, "says unliked"),
    (broken.StumblesOverStill, UNLIKED, "still raised"),
    (broken.TakesNonsenseForUnliked, DOUBTFUL, "says unliked"),
    (broken.SaysMaybe, AS_RECORDED, "'maybe'"),
    (broken.KeepsAnyTitle, HOSTILE, "no database can keep"),
    (broken.CountsWithFractions, AS_RECORDED, "total is"),
    (broken.ReadsInCircles, AS_RECORDED, "leads on to itself"),
    (broken.GivesLists, AS_RECORDED, "poll gave list"),
    (broken.SaysUnlikes, AS_RECORDED, "among the likes"),
    (with_plan(needs_grant=False), PLAN, "needs_grant=False"),
    (with_plan(newest_first=True, together=20), PLAN, "poll_together"),
    (with_plan(agreeing=0), PLAN, "at least one"),
    (with_plan(seldom=timedelta(minutes=1)), PLAN, "often <= seldom"),
    (with_card(abilities=CARD.abilities - {"unlikes"}), ABILITIES, "does not say"),
    (with_card(abilities=CARD.abilities | {"linking"}), ABILITIES, "says 'linking'"),
    (with_card(hosts=("toy.example",)), AS_RECORDED, "not on the card"),
)


TOGETHER = Path(__file__).parent / "toy_polled_together"
BROKEN_TOGETHER: tuple[tuple[Callable[[], Any], str, str], ...] = (
    (broken.MixesAccountsUp, AS_RECORDED, "a like is by toy:8, wanted was toy:7"),
    (broken.ForgetsSome, AS_RECORDED, "1 results for 2 accounts"),
    (broken.GivesNobodysFailure, AS_RECORDED, "LookupError"),
    (Toy, AS_RECORDED, "about several accounts"),
)


def checks(connector: Any, folder: Path = FOLDER) -> dict[str, kit.Check]:
    return {str(check): check for check in kit.poll_checks(connector, folder)}


@pytest.mark.parametrize("check", kit.poll_checks(Toy(), FOLDER), ids=str)
def test_a_correct_connector_passes(check: kit.Check) -> None:
    check()


@pytest.mark.parametrize("check", kit.poll_checks(broken.TogetherToy(), TOGETHER), ids=str)
def test_a_correct_connector_that_reads_together_passes(check: kit.Check) -> None:
    check()


@pytest.mark.parametrize(("make", "rule", "reason"), BROKEN_TOGETHER)
def test_reading_together_is_failed_for_its_reason(make: Callable[[], Any], rule: str, reason: str) -> None:
    with pytest.raises(AssertionError) as failure:
        checks(make(), TOGETHER)[rule]()
    assert reason in str(failure.value)
    assert "remedy: " in str(failure.value)


@pytest.mark.parametrize(
    ("make", "rule", "reason"), [pytest.param(*case, id=f"{case[0].__name__}: {case[1]}") for case in BROKEN]
)
def test_a_broken_connector_is_failed_for_its_reason(make: Callable[[], Any], rule: str, reason: str) -> None:
    with pytest.raises(AssertionError) as failure:
        checks(make())[rule]()
    assert f"broken rule: {rule}" in str(failure.value)
    assert "remedy: " in str(failure.value)
    assert reason in str(failure.value)


def test_every_rule_fails_somebody() -> None:
    card = {str(check) for check in kit.card_checks(Toy())}
    assert {rule for _, rule, _ in BROKEN} == set(checks(Toy())) - card


def test_there_are_enough_broken_connectors() -> None:
    written = {
        each for each in vars(broken).values() if isinstance(each, type) and issubclass(each, Toy) and each is not Toy
    }
    assert len(written) >= 30
    assert written - {broken.TogetherToy} <= {make for make, _, _ in (*BROKEN, *BROKEN_TOGETHER)}


GOOD: dict[str, Any] = {
    "wanted": {"account_id": "7", "grant": None},
    "exchanges": [],
    "page": {"likes": []},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"page": None, "raises": "Unanswered"}, "exactly one of"),
        ({"wonted": {}}, "unknown fields"),
        ({"wanted": {"account": "7"}}, "unknown fields"),
        ({"wanted": {"account_id": "7", "mark": {"pace": "1"}}}, "unexpected keyword"),
        ({"exchanges": [{"request": {"path": "/"}, "answer": {"json": 1, "body": "1"}}]}, "not both"),
        ({"exchanges": [{"request": {"pathh": "/"}, "answer": {}}]}, "unknown fields"),
        ({"page": {"likes": [], "proves": "all"}}, "proves is one of"),
        ({"page": {"likes": [{"event": "Loved"}]}}, "no event named Loved"),
        ({"page": {"raises": "Fear"}}, "raises is one of"),
    ],
    ids=str,
)
def test_a_poll_that_is_not_recorded_as_documented_says_so(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    (tmp_path / "poll-bad.json").write_text(json.dumps(GOOD | change))
    with pytest.raises(kit.BadVector, match=r"poll-bad\.json.*docs/connectors\.md") as failure:
        kit.poll_checks(Toy(), tmp_path)
    assert words in str(failure.value)


def test_a_folder_without_polls_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(kit.BadVector, match=r"no recorded polls in .*docs/connectors\.md"):
        kit.poll_checks(Toy(), tmp_path)


def test_a_connector_that_does_not_ask_is_no_polling_connector() -> None:
    class Silent:
        card = CARD

    with pytest.raises(TypeError, match="lacks card, plan, poll or still"):
        kit.poll_checks(Silent(), FOLDER)  # type: ignore[arg-type]
