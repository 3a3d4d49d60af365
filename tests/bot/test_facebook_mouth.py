"""Talking on Messenger: within its window, as a bot that says so, never twice, and what each refusal means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.facebook import mouth as facebook_mouth
from bot.facebook.mouth import INTRODUCTION, LIMIT, OUTSIDE
from connectors.speaking import Button, Picture, Unheard
from core.mail import outbox
from core.mail.tables import OutboxNote
from tests.bot.facebook_world import PAGE, FacebookWorld, world
from tests.platforms.misbehaving import CUTS, DROPS, Says
from tests.scene import Scene

PICTURE = Picture(name="a.png", content=b"\x89PNG", alt="Where it went")


@pytest.fixture
def hub(scene: Scene) -> Iterator[FacebookWorld]:
    with world(scene) as place:
        place.creator()
        place.patron("fan")
        place.is_bound("fan")
        place.fake.write("fan", PAGE, "hello")
        place.deliver()
        yield place


def tell(hub: FacebookWorld, text: str = "hello", **more: Any) -> None:
    account = f"{PAGE}:{hub.fake.psid(PAGE, 'fan')}"
    hub.do(hub.presence.say(account, text, key="1-0", **more))


def note(hub: FacebookWorld) -> OutboxNote:
    (found,) = hub.notes("answer")
    return found


def drain(hub: FacebookWorld) -> None:
    hub.do(hub.sender.drain())


def test_what_is_said_to_the_page_is_a_message_of_who_said_it(hub: FacebookWorld) -> None:
    (message,) = hub.heard
    assert (message.by.account_id, message.text) == (f"{PAGE}:{hub.fake.psid(PAGE, 'fan')}", "hello")


def test_the_first_message_says_that_it_is_a_bots_and_only_that_one(hub: FacebookWorld) -> None:
    for text in ("one", "two"):
        hub.say("fan", text)
        drain(hub)
    assert [text for _, _, text in hub.fake.sent] == [INTRODUCTION + "one", "two"]
    assert {each.state for each in hub.notes("answer")} == {"sent"}


def test_the_longest_message_fits_with_the_introduction(hub: FacebookWorld) -> None:
    tell(hub, "x" * LIMIT)
    assert len(hub.fake.sent[0][2]) == 2000


def test_a_picture_comes_before_its_words_as_a_message_of_its_own(hub: FacebookWorld) -> None:
    hub.say("fan", "one")
    drain(hub)
    tell(hub, "your statement", picture=PICTURE, buttons=[Button(label="Status", text="status")])
    assert [text for _, _, text in hub.fake.sent[1:]] == ["[image/png a.png b'\\x89PNG']", "your statement"]


def test_a_picture_that_messenger_does_not_take_costs_no_words(hub: FacebookWorld) -> None:
    hub.say("fan", "one")
    drain(hub)
    hub.fake.refuses_pictures = True
    tell(hub, "your statement", picture=PICTURE)
    assert [text for _, _, text in hub.fake.sent[1:]] == ["your statement"]


def test_a_picture_is_not_shown_again_with_a_second_try_of_its_words(hub: FacebookWorld) -> None:
    hub.say("fan", "one")
    drain(hub)
    hub.fake.refuse += [(0, None), (2, None)]
    with pytest.raises(Unheard):
        tell(hub, "your statement", picture=PICTURE)
    tell(hub, "your statement", picture=PICTURE)
    assert [text for _, _, text in hub.fake.sent[1:]] == ["your statement"]


def test_the_very_first_message_is_words_only(hub: FacebookWorld) -> None:
    tell(hub, "your statement", picture=PICTURE)
    assert [text for _, _, text in hub.fake.sent] == [INTRODUCTION + "your statement"]


def test_choices_are_quick_replies(hub: FacebookWorld) -> None:
    tell(hub, buttons=[Button(label="A label that is far too long", text="statement"), Button(label=" ", text="x")])
    body = hub.fake.heard[-1].body
    assert b'"title":"A label that is far "' in body
    assert b'"payload":"statement"' in body
    assert body.count(b"content_type") == 1


def test_outside_the_window_a_note_waits_says_so_and_goes_out_when_the_person_writes(hub: FacebookWorld) -> None:
    hub.later(hours=25)
    hub.say("fan", "your statement")
    drain(hub)
    assert (note(hub).state, note(hub).error, hub.fake.sent) == ("waiting", OUTSIDE, [])
    assert not any(heard.path.endswith("/messages") for heard in hub.fake.heard)
    hub.rounds(3, minutes=1)
    drain(hub)
    assert hub.fake.sent == []
    hub.fake.write("fan", PAGE, "status")
    hub.deliver()
    poked = hub.poked
    hub.round()
    assert hub.poked == poked + 1
    drain(hub)
    assert [text for _, _, text in hub.fake.sent] == [INTRODUCTION + "your statement"]
    assert note(hub).state == "sent"


def test_a_note_that_was_given_up_meanwhile_goes_out_too(hub: FacebookWorld) -> None:
    hub.later(hours=25)
    hub.say("fan", "your statement")
    for _ in range(20):
        drain(hub)
        hub.later(hours=6, minutes=1)
    assert (note(hub).state, note(hub).error) == ("failed", OUTSIDE)
    hub.fake.write("fan", PAGE, "status")
    hub.deliver()
    hub.round()
    drain(hub)
    assert note(hub).state == "sent"


def test_what_waited_for_a_month_is_no_news_any_more(hub: FacebookWorld) -> None:
    hub.later(hours=25)
    hub.say("fan", "your statement")
    drain(hub)
    hub.later(days=31)
    hub.fake.write("fan", PAGE, "status")
    hub.deliver()
    with hub.scene.db.transaction() as tx:
        assert facebook_mouth.wake(tx, hub.at) == 0


def test_facebooks_own_word_about_the_window_counts_and_is_not_asked_for_every_minute(hub: FacebookWorld) -> None:
    hub.fake.spoken.clear()
    hub.say("fan", "hello")
    drain(hub)
    assert note(hub).error == OUTSIDE
    asked = len(hub.fake.heard)
    for _ in range(5):
        hub.later(minutes=1)
        with hub.scene.db.transaction() as tx:
            facebook_mouth.wake(tx, hub.at)
        drain(hub)
    assert len(hub.fake.heard) == asked


@pytest.mark.parametrize(
    ("error", "final", "text"),
    [
        ((551, 1545041), True, "does not take messages"),
        ((551, None), True, "does not take messages"),
        ((200, 1545041), True, "does not take messages"),
        ((1, 1357046), True, outbox.UNKNOWN),
        ((100, 2018001), True, "does not know"),
        ((10, 2018278), False, "24 hours"),
        ((10, None), False, "pages_messaging"),
        ((200, None), False, "pages_messaging"),
        ((368, None), False, "blocked"),
        ((613, None), False, "too many"),
        ((2, None), False, "error 2"),
        ((1200, None), False, "error 1200"),
    ],
    ids=str,
)
def test_a_refusal_means_what_its_number_says(
    hub: FacebookWorld, error: tuple[int, int | None], final: bool, text: str
) -> None:
    hub.fake.refuse.append(error)
    with pytest.raises(Unheard, match=text) as unheard:
        tell(hub)
    assert unheard.value.final is final
    assert final or (unheard.value.retry_after or 0) >= 60


def test_with_a_wrong_secret_of_ours_the_note_waits(hub: FacebookWorld) -> None:
    hub.fake.client_secret = "renewed in the app's settings"
    with pytest.raises(Unheard, match="app_secret") as unheard:
        tell(hub)
    assert not unheard.value.final
    assert unheard.value.retry_after == 3600


@pytest.mark.parametrize("fault", [DROPS, CUTS, Says(500), Says(200, {}, b"<html>")], ids=str)
def test_what_may_have_arrived_is_not_said_again(hub: FacebookWorld, fault: Any) -> None:
    hub.fake.suffer(fault)
    with pytest.raises(Unheard, match=outbox.UNKNOWN) as unheard:
        tell(hub)
    assert unheard.value.final


def test_a_page_whose_access_ended_is_given_up_and_its_owner_told(hub: FacebookWorld) -> None:
    hub.fake.refuse.append((190, 460))
    with pytest.raises(Unheard, match="sign in"):
        tell(hub)
    assert len(hub.notes("relink")) == 1
    with pytest.raises(Unheard, match="not connected"):
        tell(hub)


@pytest.mark.parametrize("account", ["app:55", "1056913", "1056913:", "x:y", "deleted:7"])
def test_accounts_that_nobody_can_write_to_are_said_to_be(hub: FacebookWorld, account: str) -> None:
    with pytest.raises(Unheard, match="lets nobody write") as unheard:
        hub.do(hub.presence.say(account, "hello", key="1-0"))
    assert unheard.value.final


def test_a_stranger_who_wrote_just_now_gets_an_answer(hub: FacebookWorld) -> None:
    hub.fake.user("stranger")
    hub.fake.write("stranger", PAGE, "hello")
    hub.say("stranger", "welcome")
    drain(hub)
    assert [text for _, _, text in hub.fake.sent] == [INTRODUCTION + "welcome"]
