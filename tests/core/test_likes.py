"""What a like counts for (money.md, "Likes and flattrs")."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from core import likes, standing
from core.database import Database
from core.events import AccountRef, Cleared, Gone, Messaged, Revoked, RoomRef, Seen, ThingRef, Unliked
from core.likes import Recorded
from core.mail.tables import OutboxNote
from core.people import claims, preferences
from core.people.tables import Account, Room
from core.rules import Rules
from core.tables import Flattr, Like, Thing
from tests.scene import Scene

MINUTE = timedelta(minutes=1)
FRESH = count(1)


def flattrs(scene: Scene) -> list[Flattr]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(Flattr).order_by(col(Flattr.id))).all())


def test_a_like_is_one_flattr_for_its_patron_and_author(scene):
    ada = scene.patron("ada")
    assert scene.like("ada", "song", "maker") is Recorded.counted
    [flattr] = flattrs(scene)
    with scene.db.reading() as tx:
        author = tx.get_one(Account, flattr.author_id)
    assert (flattr.patron_id, flattr.month, author.account_id) == (ada, 12 * 2026 + 11, "id-maker")


def test_a_stranger_s_like_leaves_no_row(scene):
    assert scene.like("nobody", "song") is Recorded.not_a_member
    with scene.db.reading() as tx:
        for table in (Flattr, Like, Thing, Account):
            assert tx.exec(select(table)).all() == []


def test_the_same_like_twice_is_one_flattr(scene):
    scene.patron("ada")
    scene.like("ada", "song")
    assert scene.like("ada", "song", at=scene.at + MINUTE) is Recorded.standing
    assert len(flattrs(scene)) == 1


def test_another_emoji_and_another_account_of_the_same_person_add_no_share(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song", reaction="👍")
    scene.like("ada", "song", reaction="🎉")
    with scene.db.transaction() as tx:
        tx.add(Account(platform="pond", account_id="id-ada2", person_id=ada, linked_at=scene.at))
    scene.like("ada2", "song")
    assert len(flattrs(scene)) == 1
    scene.unlike("ada", "song", reaction="👍", at=scene.at + MINUTE)
    assert scene.states(ada) == ["pending"]


def test_a_cross_post_under_the_same_address_is_the_same_thing(scene):
    scene.patron("ada")
    scene.like("ada", "song")
    cross = ThingRef(platform="lake", native_id="9", url=scene.thing("song").url)
    scene.record(replace(scene.liked("ada", "song", None), thing=cross))
    assert len(flattrs(scene)) == 1


def test_an_address_given_to_other_content_of_the_same_platform_is_another_thing(scene):
    scene.patron("ada")
    scene.like("ada", "song", "maker")
    other = ThingRef(platform="pond", native_id="other", url=scene.thing("song").url)
    scene.record(replace(scene.liked("ada", "song", "thief"), thing=other))
    assert len({flattr.author_id for flattr in flattrs(scene)}) == 2


def test_an_unlike_withdraws_and_liking_again_revives_the_one_share(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song")
    assert scene.unlike("ada", "song", at=scene.at + MINUTE) is Recorded.withdrawn
    assert scene.states(ada) == ["withdrawn"]
    assert scene.unlike("ada", "song", at=scene.at + MINUTE) is Recorded.unchanged
    assert scene.like("ada", "song", at=scene.at + 2 * MINUTE) is Recorded.counted
    assert scene.states(ada) == ["pending"]
    assert len(flattrs(scene)) == 1


def test_a_replayed_like_after_the_unlike_changes_nothing(scene):
    ada = scene.patron("ada")
    dated = scene.liked("ada", "tune", at=scene.at)
    scene.record(dated, at=scene.at)
    scene.unlike("ada", "tune", at=scene.at + 10 * MINUTE)
    assert scene.record(dated, at=scene.at + 20 * MINUTE) is Recorded.unchanged
    assert scene.states(ada) == ["withdrawn"]


def test_liked_again_counts_again_though_the_platform_s_clock_is_far_from_ours(scene):
    ada = scene.patron("ada")
    with scene.db.transaction() as tx:
        tx.exec(select(Account)).one().linked_at = scene.at - timedelta(days=3000)
    long_ago = scene.at - timedelta(days=2500)
    scene.record(scene.liked("ada", "repo", at=long_ago))
    scene.unlike("ada", "repo", at=scene.at + MINUTE)
    again = scene.liked("ada", "repo", at=long_ago + MINUTE)
    assert scene.record(again, at=scene.at + 2 * MINUTE) is Recorded.counted
    assert scene.record(again, at=scene.at + 3 * MINUTE) is Recorded.standing
    assert scene.states(ada) == ["pending"]
    scene.unlike("ada", "repo", at=scene.at + 4 * MINUTE)
    assert scene.record(again, at=scene.at + 5 * MINUTE) is Recorded.unchanged
    assert scene.states(ada) == ["withdrawn"]


def test_what_was_struck_out_stays_out_until_a_new_episode(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song")
    [flattr] = flattrs(scene)
    with scene.db.transaction() as tx:
        assert standing.strike(tx, person_id=ada, flattr_id=flattr.id, at=scene.at + MINUTE)
        assert not standing.strike(tx, person_id=ada + 1, flattr_id=flattr.id, at=scene.at)
    scene.like("ada", "song", at=scene.at + 2 * MINUTE)
    assert scene.states(ada) == ["struck"]
    scene.unlike("ada", "song", at=scene.at + 3 * MINUTE)
    scene.like("ada", "song", at=scene.at + 4 * MINUTE)
    assert scene.states(ada) == ["pending"]


@pytest.mark.parametrize("why", ["struck", "paused"])
def test_a_later_time_is_a_new_episode_though_no_unlike_was_heard_of(scene, why: str):
    ada = scene.patron("ada")
    first = scene.at
    if why == "paused":
        with scene.db.transaction() as tx:
            preferences.pause(tx, ada, at=first)
    scene.record(scene.liked("ada", "song", at=first), at=first + MINUTE)
    with scene.db.transaction() as tx:
        if why == "paused":
            preferences.resume(tx, ada)
        else:
            flattr = tx.exec(select(Flattr)).one()
            assert standing.strike(tx, person_id=ada, flattr_id=flattr.id, at=first + 2 * MINUTE)
    before = scene.states(ada)
    assert before == (["struck"] if why == "struck" else [])
    assert scene.record(scene.liked("ada", "song", at=first), at=first + 3 * MINUTE) is Recorded.standing
    assert scene.states(ada) == before
    assert scene.record(scene.liked("ada", "song", at=first + 4 * MINUTE), at=first + 5 * MINUTE) is Recorded.counted
    assert scene.states(ada) == ["pending"]


def test_a_like_that_merely_still_stands_next_month_is_not_counted_again(scene):
    scene.patron("ada")
    scene.like("ada", "song")
    scene.later(days=25)
    assert scene.like("ada", "song") is Recorded.standing
    assert len(flattrs(scene)) == 1


def test_a_new_episode_in_a_later_month_counts_there(scene):
    scene.patron("ada")
    scene.like("ada", "song")
    scene.later(days=25)
    scene.unlike("ada", "song")
    scene.later(hours=1)
    assert scene.like("ada", "song") is Recorded.counted
    assert [flattr.month for flattr in flattrs(scene)] == [12 * 2026 + 11, 12 * 2026 + 12]


def test_the_platform_s_time_decides_the_month_but_never_a_future_one(scene):
    scene.patron("ada")
    scene.later(days=20, hours=12)  # the first of December, just past midnight
    with scene.db.transaction() as tx:
        likes.stages.ensure_month(tx, 12 * 2026 + 11)
    scene.record(scene.liked("ada", "late", at=scene.at - timedelta(days=1)))
    scene.record(scene.liked("ada", "ahead", at=scene.at + timedelta(days=90)))
    assert [flattr.month for flattr in flattrs(scene)] == [12 * 2026 + 11, 12 * 2026 + 12]


def test_a_late_like_of_a_month_past_its_review_counts_in_the_open_one(scene):
    scene.patron("ada")
    scene.like("ada", "song")
    november = scene.close_month()
    scene.record(scene.liked("ada", "late", at=datetime(2026, 11, 29, tzinfo=UTC)))
    assert [flattr.month for flattr in flattrs(scene)] == [november, november + 1]


def test_an_end_heard_of_late_moves_the_like_to_the_month_in_which_it_was_given_again(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song", order=1)
    scene.later(days=21)
    scene.like("ada", "song", order=3)
    assert [flattr.month for flattr in flattrs(scene) if flattr.standing] == [12 * 2026 + 11]
    scene.unlike("ada", "song", order=2)
    assert [flattr.month for flattr in flattrs(scene) if flattr.standing] == [12 * 2026 + 12]
    assert scene.states(ada) == ["pending"]


def test_an_unlike_after_closing_leaves_the_closed_month_alone(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song")
    november = scene.close_month()
    scene.unlike("ada", "song")
    assert scene.states(ada, november) == ["pending"]


def test_a_like_from_before_the_link_never_counts(scene):
    ada = scene.patron("ada")
    old = scene.liked("ada", "old", at=scene.at - timedelta(days=1))
    assert scene.record(old) is Recorded.not_counted
    assert scene.states(ada) == []


def test_a_like_in_the_second_of_the_link_counts(scene):
    scene.at = scene.at.replace(microsecond=400_000)
    scene.patron("ada")
    cut = scene.liked("ada", "now", at=scene.at.replace(microsecond=0))
    assert scene.record(cut) is Recorded.counted


def test_bots_and_paused_patrons_and_ignored_creators_never_count(scene):
    ada = scene.patron("ada")
    scene.like("ada", "one", "rival")
    robot = AccountRef(platform="pond", account_id="id-ada", is_bot=True)
    assert scene.record(replace(scene.liked("ada", "two"), by=robot)) is Recorded.not_counted
    with scene.db.transaction() as tx:
        rival = tx.exec(select(Account).where(Account.account_id == "id-rival")).one()
        preferences.ignore(tx, ada, rival.id, scene.at)
    assert scene.like("ada", "three", "rival") is Recorded.not_counted
    assert scene.states(ada) == ["ignored"]
    with scene.db.transaction() as tx:
        preferences.pause(tx, ada, at=scene.at)
    assert scene.like("ada", "four", "maker") is Recorded.not_counted


@pytest.mark.parametrize(
    ("reaction", "room", "chosen", "counted"),
    [
        ("👍", None, None, True),
        ("👍🏽", None, None, True),
        ("❤️", None, None, True),
        ("👎", None, None, False),
        ("🤔", None, None, False),
        ("🤔", "cafe", "🤔", True),
        ("👎", "cafe", "👎", False),
        ("👍", "cafe", "🤔", False),
        ("like", "cafe", "🤔", True),
    ],
)
def test_the_room_s_list_says_which_emoji_are_likes(scene, reaction, room, chosen, counted):
    scene.patron("ada")
    if chosen:
        with scene.db.transaction() as tx:
            tx.add(Room(platform="pond", room_id=room, emoji=chosen))
    where = RoomRef(platform="pond", room_id=room) if room else None
    outcome = scene.like("ada", "song", reaction=reaction, room=where)
    assert outcome is (Recorded.counted if counted else Recorded.not_counted)


def test_a_private_room_counts_only_once_its_admin_switched_the_hub_on(scene):
    scene.patron("ada")
    room = RoomRef(platform="pond", room_id="den", private=True)
    assert scene.like("ada", "song", room=room) is Recorded.not_counted
    with scene.db.transaction() as tx:
        tx.add(Room(platform="pond", room_id="den"))
    assert scene.like("ada", "song", room=room) is Recorded.counted


def test_a_moderator_s_clearing_withdraws_one_emoji_or_all(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song", reaction="👍")
    scene.like("ada", "song", reaction="🎉")
    scene.record(Cleared(thing=scene.thing("song"), reaction="👍"), at=scene.at + MINUTE)
    assert scene.states(ada) == ["pending"]
    scene.record(Cleared(thing=scene.thing("song")), at=scene.at + 2 * MINUTE)
    assert scene.states(ada) == ["withdrawn"]


def test_content_that_is_gone_is_not_an_unlike(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song")
    assert scene.record(Gone(thing=scene.thing("song"))) is Recorded.stored
    assert scene.states(ada) == ["pending"]


def test_an_author_told_later_is_the_author_of_what_waited(scene):
    ada = scene.patron("ada")
    scene.creator("maker")
    scene.like("ada", "song", None)
    assert scene.states(ada) == ["pending"]
    scene.record(Seen(thing=scene.thing("song"), author=scene.account("maker")))
    assert scene.states(ada) == ["counts"]


def test_the_author_is_fixed_when_the_like_is_recorded(scene):
    scene.patron("ada")
    scene.like("ada", "song", "maker")
    scene.record(Seen(thing=scene.thing("song"), author=scene.account("thief")))
    with scene.db.reading() as tx:
        author = tx.get_one(Account, tx.exec(select(Flattr)).one().author_id)
    assert author.account_id == "id-maker"


def test_a_flattr_by_hand_is_a_like_and_said_again_brings_back_what_was_struck_out(scene):
    ada = scene.patron("ada")

    def say(at):
        with scene.db.transaction() as tx:
            return likes.record_by_hand(
                tx, scene.rules, scene.account("ada"), scene.thing("song"), scene.account("maker"), at
            )

    assert say(scene.at) is Recorded.counted
    assert say(scene.at) is Recorded.standing
    [flattr] = flattrs(scene)
    with scene.db.transaction() as tx:
        standing.strike(tx, person_id=ada, flattr_id=flattr.id, at=scene.at + MINUTE)
    assert say(scene.at + 2 * MINUTE) is Recorded.counted
    assert scene.states(ada) == ["pending"]
    with scene.db.transaction() as tx:
        preferences.pause(tx, ada, at=scene.at)
    assert say(scene.at + 3 * MINUTE) is Recorded.standing
    assert scene.states(ada) == ["pending"], "what was said before the pause stays"
    assert say(scene.at + timedelta(days=30)) is Recorded.not_counted
    with scene.db.transaction() as tx:
        preferences.resume(tx, ada)
    assert say(scene.at + timedelta(days=30, minutes=1)) is Recorded.counted
    assert len(flattrs(scene)) == 2


def test_an_unlike_by_the_like_s_own_id_needs_no_thing(scene):
    ada = scene.patron("ada")
    event = scene.liked("ada", "post", like_id="rkey1", order=5)
    scene.record(event)
    scene.record(Unliked(by=scene.account("ada"), like_id="rkey1", order=6))
    assert scene.states(ada) == ["withdrawn"]


def test_a_revoked_access_is_noted_on_the_account_and_its_owner_is_told_once(scene):
    scene.patron("ada")
    scene.record(Revoked(by=scene.account("ada")))
    scene.record(Revoked(by=scene.account("ada")), at=scene.at + MINUTE)
    assert scene.record(Revoked(by=scene.account("stranger"))) is Recorded.not_a_member
    with scene.db.reading() as tx:
        assert tx.exec(select(Account)).one().needs_relink_at == scene.at
        assert [note.kind for note in tx.exec(select(OutboxNote)).all()] == ["relink"]


def test_a_message_is_not_a_like(scene):
    with pytest.raises(TypeError, match="conversation"):
        scene.record(Messaged(by=scene.account("ada"), text="hello", message_id="1"))


def test_a_like_and_an_unlike_by_two_clocks_within_minutes_are_in_doubt(scene):
    scene.patron("ada")
    scene.record(scene.liked("ada", "repo", at=scene.at))
    scene.unlike("ada", "repo", at=scene.at + timedelta(seconds=30))
    with scene.db.reading() as tx:
        assert tx.exec(select(Like)).one().doubtful


def test_one_clock_leaves_no_doubt(scene):
    scene.patron("ada")
    scene.like("ada", "message")
    scene.unlike("ada", "message", at=scene.at + timedelta(seconds=30))
    with scene.db.reading() as tx:
        assert not tx.exec(select(Like)).one().doubtful


def test_a_title_is_kept_only_of_creators_who_have_joined(scene):
    scene.patron("ada")
    scene.creator("here")
    for author in ("here", "away"):
        event = scene.liked("ada", f"by-{author}", author)
        titled = ThingRef(platform="pond", native_id=f"by-{author}", url=event.thing.url, title="A title")
        scene.record(replace(event, thing=titled))
    with scene.db.reading() as tx:
        titles = [thing.title for thing in tx.exec(select(Thing).order_by(col(Thing.id))).all()]
    assert titles == ["A title", None]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_with_order_keys_any_order_and_any_duplication_end_in_the_truth(
    data: st.DataObject, sqlite_db: Database, rules: Rules, at: datetime
):
    scene = Scene(sqlite_db, rules, at)
    name = f"p{next(FRESH)}"  # one database serves all examples
    person = scene.patron(name)
    truth = data.draw(st.lists(st.booleans(), min_size=1, max_size=7))
    history = [
        (scene.liked if likes_it else scene.unliked)(name, "song", order=number)
        for number, likes_it in enumerate(truth, 1)
    ]
    heard = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=6))))
    for event in heard:
        scene.record(event)
    standing = [line.state == "pending" for line in scene.status(person).lines]
    assert standing == [truth[-1]] or (standing == [] and not truth[-1])
    assert scene.broken() == []


def test_of_a_creator_who_declined_nothing_but_a_hash_is_found(scene):
    ada = scene.patron("ada")
    scene.like("ada", "old", "shy")
    with scene.db.transaction() as tx:
        account = tx.exec(select(Account).where(Account.account_id == "id-shy")).one()
        claims.decline(tx, scene.rules, account, scene.at)
    assert scene.like("ada", "new", "shy") is Recorded.not_counted
    assert scene.states(ada) == ["declined"]
    with scene.db.reading() as tx:
        assert "id-shy" not in [account.account_id for account in tx.exec(select(Account)).all()]
    with scene.db.transaction() as tx:
        assert claims.take_back(tx, scene.rules, Account(platform="pond", account_id="id-shy"), scene.at)
    scene.like("ada", "third", "shy")
    with scene.db.reading() as tx:
        assert [account.account_id for account in tx.exec(select(Account)).all()].count("id-shy") == 1


def test_an_unlike_is_heard_from_an_account_that_is_nobody_s_for_now(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song")
    with scene.db.transaction() as tx:
        account = tx.exec(select(Account).where(Account.account_id == "id-ada")).one()
        account.person_id = None
    assert scene.unlike("ada", "song", at=scene.at + MINUTE) is Recorded.withdrawn
    with scene.db.transaction() as tx:
        tx.exec(select(Account).where(Account.account_id == "id-ada")).one().person_id = ada
    assert scene.like("ada", "song", at=scene.at + 2 * MINUTE) is Recorded.counted


def test_a_later_time_of_the_platform_proves_a_new_like_though_no_unlike_was_heard_of(scene):
    scene.patron("ada")
    scene.record(scene.liked("ada", "repo", at=scene.at))
    scene.later(days=25)
    assert scene.record(scene.liked("ada", "repo", at=scene.at)) is Recorded.counted
    assert [(flattr.month, flattr.standing) for flattr in flattrs(scene)] == [
        (12 * 2026 + 11, False),
        (12 * 2026 + 12, True),
    ]


def test_an_unlike_that_overtakes_its_like_leaves_a_doubt(scene):
    scene.patron("ada")
    scene.unlike("ada", "repo", at=scene.at + MINUTE)
    scene.record(scene.liked("ada", "repo", at=scene.at), at=scene.at + 2 * MINUTE)
    with scene.db.reading() as tx:
        assert tx.exec(select(Like)).one().doubtful


def test_to_ignore_one_account_of_a_creator_is_to_ignore_the_creator(scene):
    ada = scene.patron("ada")
    maker = scene.creator("maker")
    with scene.db.transaction() as tx:
        tx.add(Account(platform="pond", account_id="id-maker2", person_id=maker, linked_at=scene.at))
        account = tx.exec(select(Account).where(Account.account_id == "id-maker")).one()
        preferences.ignore(tx, ada, account.id, scene.at)
    scene.like("ada", "song", "maker2")
    assert "counts" not in scene.states(ada)


def test_a_refusal_taken_back_lets_the_next_like_count_at_once(scene):
    ada = scene.patron("ada")
    scene.like("ada", "song", "shy")
    with scene.db.transaction() as tx:
        claims.decline(tx, scene.rules, tx.exec(select(Account).where(Account.account_id == "id-shy")).one(), scene.at)
        claims.take_back(tx, scene.rules, Account(platform="pond", account_id="id-shy"), scene.at)
    scene.unlike("ada", "song", at=scene.at + MINUTE)
    scene.like("ada", "song", "shy", at=scene.at + 2 * MINUTE)
    assert scene.states(ada) == ["pending"]
