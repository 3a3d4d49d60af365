"""The contract kit is itself under test: it passes a correct connector and fails each broken one for its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors import kit
from connectors.base import Secret
from core.events import Event, Liked, Unliked
from tests.connectors import broken
from tests.connectors.broken import CARD, Toy, sign, with_card

FOLDER = Path(__file__).parent / "toy"
LIGHT = CARD.lights[0]

BODY_FLIPPED = "a flipped byte is rejected"
BODY_CUT = "a truncated or lengthened body is rejected"
SIGNATURE = "a changed signature is rejected"
OLD_SECRET = "a wrong or old secret is rejected"
EMPTY_SECRET = "a missing or empty secret is rejected"
ROTATION = "every valid secret is tried, and the key does not depend on it"
UNSIGNED = "what is not signed changes nothing"
ONE_KEY = "a delivery has one key, and no other has it"
CONSTANT_TIME = "signatures are compared in constant time"
HEADERS = "hostile headers are rejected"
BODIES = "hostile bodies are rejected"
SIGNED_BODIES = "a signed but hostile body is unreadable at worst"
AS_RECORDED = "each recorded request means what the folder says"
FIT = "events are fit for the core"
MEET = "like and unlike meet in one fact"
RENAMED = "a renamed account is the same account"
CONVERGE = "deliveries converge"
REPEATABLE = "translate gives the same every time"
OUTSIDE = "nothing outside is touched"
UNTOUCHED = "the delivery stays as it was"
SECRECY = "secrets and signatures are never said"
COMPLETE = "the card is complete"
NUMBERS = "the card's numbers are possible"
NAMED_SECRETS = "each secret says where to get it"
LIGHTS = "policy lights give clause, address and date"
ABILITIES = "abilities are as shown"
LIKE_TIME = "the like's time is as claimed"
USED_SECRETS = "the secrets in use are on the card"
SIZE = "the largest body is large enough"
SIGNED_IDS = "signed ids are signed"


# A broken connector, the rule that it breaks, and a word of the reason that the kit must give.
BROKEN: tuple[tuple[Callable[[], Toy], str, str], ...] = (
    (broken.AcceptsAnything, BODY_FLIPPED, "flipped is accepted"),
    (broken.IgnoresCase, BODY_FLIPPED, "flipped is accepted"),
    (broken.IgnoresWhiteSpace, BODY_CUT, "appended is accepted"),
    (broken.SignsTheMeaning, BODY_CUT, "appended is accepted"),
    (broken.ComparesTheBeginning, SIGNATURE, "fullmatch"),
    (broken.ForgivesShortSignatures, SIGNATURE, "fullmatch"),
    (broken.DecodesTheSignature, SIGNATURE, "not as decoded bytes"),
    (broken.AcceptsAnything, OLD_SECRET, "signed with another secret is accepted"),
    (broken.RemembersSecrets, OLD_SECRET, "after its secret was replaced is accepted"),
    (broken.TakesEmptySecrets, EMPTY_SECRET, "skip empty secrets"),
    (broken.IsOffWithoutSecret, EMPTY_SECRET, "reject where none is left"),
    (broken.NeedsItsSecret, EMPTY_SECRET, "KeyError"),
    (broken.KnowsOneSecret, ROTATION, "one of three valid secrets"),
    (broken.KnowsTheLastSecret, ROTATION, "one of three valid secrets"),
    (broken.KeysBySignature, ROTATION, "depends on which secret"),
    (broken.TrustsTheDeliveryId, UNSIGNED, "another key"),
    (broken.TrustsTheEventName, UNSIGNED, "means something else"),
    (broken.TrustsTheQuery, UNSIGNED, "means something else"),
    (broken.KeysByReceipt, UNSIGNED, "another key"),
    (broken.HasOneKey, ONE_KEY, "dropped as a repetition"),
    (broken.KeysAtRandom, ONE_KEY, "another key each time"),
    (broken.KeysWithNothing, ONE_KEY, "visible ASCII"),
    (broken.ComparesPlainly, CONSTANT_TIME, "compare_digest"),
    (broken.ComparesCodesPlainly, CONSTANT_TIME, "compare_digest"),
    (broken.NeedsItsHeader, HEADERS, "KeyError"),
    (broken.TakesTheFirstOfTwo, HEADERS, "missing or came twice"),
    (broken.FearsForeignLetters, HEADERS, "TypeError"),
    (broken.ChallengesByAnyHeader, HEADERS, "challenge raised"),
    (broken.ReadsBeforeVerifying, BODIES, "JSONDecodeError"),
    (broken.RecursesTooDeep, SIGNED_BODIES, "RecursionError"),
    (broken.NeedsEveryField, SIGNED_BODIES, "translate raised"),
    (broken.OverflowsTimes, SIGNED_BODIES, "OverflowError"),
    (broken.KeepsAnyText, SIGNED_BODIES, "no database can keep"),
    (broken.KeepsAnyAddress, SIGNED_BODIES, "thing.url"),
    (broken.KeepsAnyOrder, SIGNED_BODIES, "64 bits"),
    (broken.LooksAtTheClock, OUTSIDE, "datetime.now"),
    (broken.JudgesStaleness, OUTSIDE, "time.time"),
    (broken.ReadsAFile, OUTSIDE, "open"),
    (broken.AsksTheNetwork, OUTSIDE, "socket"),
    (broken.ForgetsRepetitions, REPEATABLE, "means something else"),
    (broken.RemembersWhatItVerified, REPEATABLE, "keep no state"),
    (broken.DatesByReceipt, REPEATABLE, "later time of receipt"),
    (broken.EmptiesTheQuery, UNTOUCHED, "was changed"),
    (broken.TakesNamesForIds, FIT, "handles change hands"),
    (broken.TakesNamesForIds, RENAMED, "immutable ids"),
    (broken.MixesNamesIntoIds, RENAMED, "immutable ids"),
    (broken.TakesAddressesForIds, RENAMED, "immutable ids"),
    (broken.GivesLocalTimes, FIT, "aware UTC"),
    (broken.SpeaksForOthers, FIT, "say 'toy'"),
    (broken.GivesNumbersForIds, FIT, "account_id"),
    (broken.UnlikesNothing, FIT, "unlike of nothing"),
    (broken.UnlikesAnotherReaction, MEET, "which no recording likes"),
    (broken.UnlikesByAnotherId, MEET, "like id on both"),
    (broken.OrdersBySecond, CONVERGE, "grows with every act"),
    (broken.ForgetsTheOrder, CONVERGE, "has_order=True"),
    (with_card(has_order=False), CONVERGE, "has_order=False"),
    (broken.LogsSecrets, SECRECY, "the secret key"),
    (broken.PrintsSecrets, SECRECY, "the secret key"),
    (broken.CausesWithTheSecret, SECRECY, "the secret key"),
    (broken.TellsTheSignature, SECRECY, "the valid x-toy-signature"),
    (broken.KeysBySignature, SECRECY, "the valid x-toy-signature"),
    (broken.YieldsEvents, AS_RECORDED, "tuple of events"),
    (broken.GivesDictionaries, AS_RECORDED, "core.events"),
    (broken.RaisesOnGenuine, AS_RECORDED, "RuntimeError('a bug')"),
    (broken.LosesUnlikes, AS_RECORDED, "and not"),
    (broken.EchoesPages, AS_RECORDED, "text/plain"),
    (broken.AnswersAnybody, AS_RECORDED, "stranger.json"),
    (broken.AnswersDeliveries, AS_RECORDED, "None for an ordinary delivery"),
    (broken.LosesUnlikes, ABILITIES, "says 'unlikes'"),
    (with_card(abilities=CARD.abilities - {"messages"}), ABILITIES, "does not say"),
    (with_card(abilities=CARD.abilities | {"resolves"}), ABILITIES, "says 'resolves'"),
    (with_card(abilities=CARD.abilities | {"linking"}), ABILITIES, "says 'linking'"),
    (with_card(knows_like_time=False), LIKE_TIME, "knows_like_time=False"),
    (with_card(secrets=()), USED_SECRETS, "not on the card"),
    (with_card(secrets=(replace(CARD.secrets[0], required=False),)), USED_SECRETS, "mark it required"),
    (with_card(largest_body=40), SIZE, "raise largest_body"),
    (broken.ClaimsSignedIds, SIGNED_IDS, "can be changed"),
    (with_card(platform="Toy"), COMPLETE, "a to z"),
    (with_card(title=""), COMPLETE, "title"),
    (with_card(retries=""), COMPLETE, "retries"),
    (with_card(documentation="toy.example"), COMPLETE, "https"),
    (with_card(setup=()), COMPLETE, "step by step"),
    (with_card(setup=("Go there.",)), COMPLETE, "{address}"),
    (with_card(setup=("Enter {address} and {secret}.",)), COMPLETE, "cannot be filled in"),
    (with_card(hosts=("https://api.toy.example/",)), COMPLETE, "host name"),
    (with_card(success_status=404), NUMBERS, "200 to 299"),
    (with_card(largest_body=0), NUMBERS, "largest_body"),
    (with_card(secrets=(*CARD.secrets, *CARD.secrets)), NAMED_SECRETS, "its own name"),
    (with_card(secrets=(Secret(name="key", how=" "),)), NAMED_SECRETS, "where to get it"),
    (with_card(needs={"likes": ("key",)}), NAMED_SECRETS, "likes needs ['key']"),
    (with_card(lights=()), LIGHTS, "no policy light"),
    (with_card(lights=(replace(LIGHT, clause="Fine."),)), LIGHTS, "your own words"),
    (with_card(lights=(replace(LIGHT, url="http://toy.example"),)), LIGHTS, "address"),
    (with_card(lights=(replace(LIGHT, colour="blue"),)), LIGHTS, "green, amber or red"),
    (with_card(lights=(replace(LIGHT, read_on=date(1970, 1, 1)),)), LIGHTS, "when the terms were read"),
    (with_card(lights=(replace(LIGHT, action="messages"),)), LIGHTS, "no light is about likes"),
)


def is_broken(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Toy) and value is not Toy


def checks(connector: Any, standing: kit.Standing | None = None) -> dict[str, kit.Check]:
    found = kit.checks(connector, FOLDER, sign=sign, standing=standing)
    return {str(check): check for check in found}


def last_order_wins(events: Sequence[Event]) -> object:
    acts = [event for event in events if isinstance(event, Liked | Unliked)]
    return isinstance(max(acts, key=lambda event: event.order or 0), Liked)


def last_receipt_wins(events: Sequence[Event]) -> object:
    return isinstance(events[-1], Liked)


@pytest.mark.parametrize("check", kit.checks(Toy(), FOLDER, sign=sign, standing=last_order_wins), ids=str)
def test_a_correct_connector_passes(check: kit.Check) -> None:
    check()


@pytest.mark.parametrize(
    ("make", "rule", "reason"), [pytest.param(*case, id=f"{case[0].__name__}: {case[1]}") for case in BROKEN]
)
def test_a_broken_connector_is_failed_for_its_reason(make: Callable[[], Toy], rule: str, reason: str) -> None:
    with pytest.raises(AssertionError) as failure:
        checks(make())[rule]()
    assert f"broken rule: {rule}" in str(failure.value)
    assert "remedy: " in str(failure.value)
    assert reason in str(failure.value)


def test_every_rule_fails_somebody() -> None:
    assert {rule for _, rule, _ in BROKEN} == set(checks(Toy()))


def test_there_are_enough_broken_connectors() -> None:
    written = {each for each in vars(broken).values() if is_broken(each)}
    assert len(written) >= 30
    assert written <= {make for make, _, _ in BROKEN}


@pytest.mark.parametrize(
    "make", [each for each in vars(broken).values() if is_broken(each)], ids=lambda make: make.__name__
)
def test_a_broken_connector_breaks_rules_and_not_the_kit(make: Callable[[], Toy]) -> None:
    failures = 0
    for check in checks(make()).values():
        try:
            check()
        except AssertionError:
            failures += 1
    assert failures


def test_what_stands_is_tried_on_the_function_that_records() -> None:
    check = checks(Toy(), last_receipt_wins)[CONVERGE]
    with pytest.raises(AssertionError, match="depends on order or repetition"):
        check()


def test_clocks_and_files_work_again_after_the_kit() -> None:
    checks(Toy())[OUTSIDE]()
    assert broken.datetime.now(broken.UTC).year > 2000
    assert broken.time.time() > 0
    assert Path(__file__).read_bytes()


def test_the_card_of_any_connector_can_be_checked_alone() -> None:
    names = [str(check) for check in kit.card_checks(Toy())]
    assert names == [COMPLETE, NUMBERS, NAMED_SECRETS, LIGHTS]
    with pytest.raises(AssertionError, match="no policy light"):
        kit.card_checks(with_card(lights=())())[3]()


def test_a_connector_that_is_not_called_is_no_webhook_connector() -> None:
    class Silent:
        card = CARD

    with pytest.raises(TypeError, match="lacks card, challenge, verify or translate"):
        kit.checks(Silent(), FOLDER, sign=sign)  # type: ignore[arg-type]


GOOD: dict[str, Any] = {"request": {"body": {"a": 1}}, "events": []}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "JSONDecodeError"),
        ({"request": {}}, "exactly one of"),
        ({**GOOD, "rejected": "x"}, "exactly one of"),
        ({**GOOD, "evens": []}, "unknown fields"),
        ({"events": []}, "request"),
        ({"request": {"boddy": ""}, "events": []}, "unknown fields"),
        ({"request": {"body_base64": "§"}, "events": []}, "base64"),
        ({**GOOD, "events": [{"event": "Loved"}]}, "no event named Loved; known: Liked"),
        ({**GOOD, "events": [{"event": "Revoked", "by": {"id": 1}}]}, "unexpected keyword"),
    ],
)
def test_a_recording_that_is_not_as_documented_says_so(tmp_path: Path, data: Any, words: str) -> None:
    (tmp_path / "bad.json").write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(kit.BadVector, match=r"bad\.json.*docs/connectors\.md") as failure:
        kit.read(tmp_path)
    assert words in str(failure.value)


def test_an_empty_folder_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(kit.BadVector, match=r"no recorded requests in .*docs/connectors\.md"):
        kit.read(tmp_path)


def test_a_recording_is_read_as_it_was_written() -> None:
    heart = next(vector for vector in kit.read(FOLDER) if vector.name == "heart.json")
    data = json.loads((FOLDER / "heart.json").read_text())
    assert [kit.said(event) for event in heart.events] == data["events"]
    assert heart.delivery.header("x-toy-event") == "heart"
    assert heart.delivery.body.startswith(b'{"act":"heart"')


def test_bodies_that_are_not_text_can_be_recorded(tmp_path: Path) -> None:
    recording = {"request": {"body_base64": "//4A"}, "unreadable": "not UTF-8"}
    (tmp_path / "raw.json").write_text(json.dumps(recording))
    assert kit.read(tmp_path)[0].delivery.body == b"\xff\xfe\x00"
