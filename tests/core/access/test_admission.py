"""What signing in does: nobody's account becomes the asker's, one's own stays, another person's is asked about."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from core.access import admission, grants, visits
from core.access.admission import Welcome
from core.access.tables import Visit
from core.database import Database
from core.events import AccountRef, Liked, Revoked
from core.likes import Recorded
from core.mail.tables import OutboxNote
from core.people import leaving, linking, persons
from core.people.tables import LinkCode
from core.rules import Rules
from tests.scene import Scene

ANN = AccountRef(platform="pond", account_id="id-ann", handle="ann")
FLICKR = AccountRef(platform="flickr", account_id="12@N00", handle="annie")
PAGE = AccountRef(platform="flickr", account_id="page-1", handle="Annie's page")


def admit(scene: Scene, *also: AccountRef, by: AccountRef = ANN, account: AccountRef = FLICKR) -> Welcome:
    with scene.db.transaction() as tx:
        return admission.admit(tx, scene.rules, by=by, account=account, also=also, at=scene.at)


def whats(welcome: Welcome) -> list[str]:
    return [each.what for each in welcome.accounts]


def owner(scene: Scene, ref: AccountRef) -> int | None:
    with scene.db.reading() as tx:
        person = persons.person_of(tx, ref)
        return person.id if person else None


def notes(scene: Scene, kind: str) -> list[OutboxNote]:
    with scene.db.reading() as tx:
        return list(tx.exec(select(OutboxNote).where(OutboxNote.kind == kind)).all())


def test_nobodys_account_becomes_the_askers_and_counts_from_now(scene: Scene) -> None:
    person = scene.person("ann")
    asked = scene.at
    scene.later(minutes=5)
    welcome = admit(scene)
    assert whats(welcome) == ["linked"]
    assert owner(scene, FLICKR) == person == welcome.person_id
    with scene.db.reading() as tx:
        row = persons.account_of(tx, FLICKR)
        assert row is not None
        assert (row.linked_at, row.handle) == (scene.at, "annie")
        assert row.linked_at != asked


def test_only_likes_from_after_the_sign_in_count(scene: Scene) -> None:
    scene.patron("ann")
    admit(scene)

    def like(thing: str, at: datetime) -> Recorded:
        maker = scene.account("maker")
        return scene.record(Liked(by=FLICKR, thing=scene.thing(thing), author=maker, at=at))

    assert like("old", scene.at - timedelta(minutes=1)) is Recorded.not_counted
    assert like("new", scene.later(minutes=1)) is Recorded.counted


def test_a_stranger_who_asked_becomes_a_person(scene: Scene) -> None:
    assert owner(scene, ANN) is None
    admit(scene)
    assert owner(scene, ANN) == owner(scene, FLICKR) is not None


def test_everything_may_happen_twice(scene: Scene) -> None:
    admit(scene, PAGE)
    first = scene.at
    scene.later(hours=1)
    welcome = admit(scene, PAGE, FLICKR)
    assert whats(welcome) == ["known", "known"]
    with scene.db.reading() as tx:
        row = persons.account_of(tx, FLICKR)
        assert row is not None
        assert row.linked_at == first


def test_linking_again_after_the_access_ended_keeps_the_first_link_time(scene: Scene) -> None:
    scene.person("ann")
    admit(scene)
    first = scene.at
    scene.later(days=1)
    assert scene.record(Revoked(by=FLICKR)) is Recorded.stored
    scene.later(days=1)
    assert whats(admit(scene)) == ["known"]
    with scene.db.reading() as tx:
        row = persons.account_of(tx, FLICKR)
        assert row is not None
        assert (row.linked_at, row.needs_relink_at) == (first, None)


def test_who_signs_in_as_the_account_that_asked_changes_nothing(scene: Scene) -> None:
    person = scene.person("ann")
    assert whats(admit(scene, account=ANN)) == ["known"]
    assert owner(scene, ANN) == person


def spoke(scene: Scene, name: str) -> int:
    person = scene.person(name)
    with scene.db.transaction() as tx:
        persons.mark_spoken(tx, scene.account(name), scene.at)
    return person


def test_another_persons_account_is_not_bound_but_its_person_is_asked(scene: Scene) -> None:
    ann, ben = spoke(scene, "ann"), spoke(scene, "ben")
    with scene.db.transaction() as tx:
        linking.bind(tx, FLICKR, person_id=ben, since=scene.at, actor="test", at=scene.at)
    assert whats(admit(scene)) == ["asked"]
    assert (owner(scene, FLICKR), owner(scene, ANN)) == (ben, ann)
    (note,) = notes(scene, "link_offer")
    assert (note.platform, note.account_id) == ("pond", "id-ben")
    with scene.db.transaction() as tx:
        asker, asked = persons.account_of(tx, ANN), persons.account_of(tx, scene.account("ben"))
        assert asker is not None
        assert asked is not None
        assert linking.open_offer(tx, asker, scene.at) is None, "whose address it was has no say"
        offer = linking.open_offer(tx, asked, scene.at)
        assert offer is not None
        assert offer.signed_in
        assert offer.merge is not None
        linking.confirm(tx, scene.rules, asked, scene.at)
    assert owner(scene, FLICKR) == owner(scene, ANN) == owner(scene, scene.account("ben")) == ben


def test_a_person_who_never_wrote_is_not_asked_and_keeps_the_account(scene: Scene) -> None:
    spoke(scene, "ann")
    ben = scene.person("ben")
    with scene.db.transaction() as tx:
        linking.bind(tx, FLICKR, person_id=ben, since=scene.at, actor="test", at=scene.at)
    assert whats(admit(scene)) == ["taken"]
    assert notes(scene, "link_offer") == []


def test_a_no_leaves_another_persons_account_alone(scene: Scene) -> None:
    scene.person("ann")
    ben = spoke(scene, "ben")
    with scene.db.transaction() as tx:
        linking.bind(tx, FLICKR, person_id=ben, since=scene.at, actor="test", at=scene.at)
    admit(scene)
    with scene.db.transaction() as tx:
        row = persons.ensure_account(tx, scene.account("ben"))
        assert linking.refuse(tx, row, scene.at)
        assert linking.open_offer(tx, row, scene.at) is None
    assert owner(scene, FLICKR) == ben


def test_one_question_at_a_time(scene: Scene) -> None:
    scene.person("ann")
    ben, cleo = spoke(scene, "ben"), spoke(scene, "cleo")
    other = AccountRef(platform="flickr", account_id="page-2")
    with scene.db.transaction() as tx:
        for ref, person in ((FLICKR, ben), (PAGE, cleo), (other, ben)):
            linking.bind(tx, ref, person_id=person, since=scene.at, actor="test", at=scene.at)
    assert whats(admit(scene, PAGE, other)) == ["asked", "taken", "asked"]
    assert len(notes(scene, "link_offer")) == 1


def test_what_else_the_sign_in_proved_is_linked_too(scene: Scene) -> None:
    person = scene.person("ann")
    assert whats(admit(scene, PAGE, PAGE)) == ["linked", "linked"]
    assert owner(scene, PAGE) == person


def test_no_code_that_somebody_types_meets_the_offer_of_a_sign_in(scene: Scene) -> None:
    scene.person("ann")
    ben = spoke(scene, "ben")
    with scene.db.transaction() as tx:
        linking.bind(tx, FLICKR, person_id=ben, since=scene.at, actor="test", at=scene.at)
    admit(scene)
    with scene.db.reading() as tx:
        row = tx.exec(select(LinkCode)).one()
        assert row.code_hash.startswith("signed in:")


def test_older_likes_of_a_creators_things_count_once_their_account_is_linked(scene: Scene) -> None:
    scene.patron("ben")
    scene.creator("ann")
    for name in ("one", "two"):
        scene.record(Liked(by=scene.account("ben"), thing=scene.thing(name), author=FLICKR))
    scene.close_month()
    welcome = admit(scene)
    assert (whats(welcome), welcome.moved) == (["linked"], 2)
    assert len(notes(scene, "claimed")) == 1


@pytest.fixture
def visit(scene: Scene) -> tuple[str, Visit]:
    with scene.db.transaction() as tx:
        token = visits.begin(tx, by=ANN, platform="flickr", intent="link", at=scene.at)
    return token, arrive(scene, token, "state", "session")


def arrive(scene: Scene, token: str, state: str, session: str) -> Visit:
    with scene.db.transaction() as tx:
        visits.depart(tx, token, state=state, kept=b"x", session=session, at=scene.at)
    with scene.db.transaction() as tx:
        return visits.arrive(tx, platform="flickr", state=state, session=session, at=scene.at)


def test_a_visit_that_came_to_nothing_may_set_out_again(scene: Scene, visit: tuple[str, Visit]) -> None:
    token, used = visit
    with scene.db.transaction() as tx:
        assert visits.look(tx, token, scene.at) is None
        admission.reopen(tx, used)
    with scene.db.transaction() as tx:
        assert visits.look(tx, token, scene.at) is not None
        with pytest.raises(visits.VisitRefused):  # the old state is worth nothing
            visits.arrive(tx, platform="flickr", state="state", session="session", at=scene.at)
    with scene.db.transaction() as tx, pytest.raises(visits.VisitRefused):  # nor may another browser go on
        visits.depart(tx, token, state="new", kept=b"x", session="another", at=scene.at)
    assert arrive(scene, token, "new", "session").id == used.id


def test_a_visit_whose_asker_left_meanwhile_is_over(scene: Scene, visit: tuple[str, Visit]) -> None:
    with scene.db.transaction() as tx:
        assert admission.still_there(tx, visit[1]) is not None
        grants.end(tx, persons.ensure_account(tx, ANN), scene.at)
    with scene.db.transaction() as tx:
        assert admission.still_there(tx, visit[1]) is None


def test_two_who_sign_in_as_each_other_at_once_do_not_wait_for_each_other(
    postgres_db: Database, rules: Rules, at: datetime
) -> None:
    scene = Scene(postgres_db, rules, at)
    ben = AccountRef(platform="pond", account_id="id-ben")
    spoke(scene, "ann")
    spoke(scene, "ben")
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            both = [
                pool.submit(admit, scene, by=ANN, account=ben),
                pool.submit(admit, scene, by=ben, account=ANN),
            ]
            assert [whats(each.result(30)) for each in both] == [["asked"], ["asked"]]


def test_who_leaves_beside_a_sign_in_takes_its_account_along(postgres_db: Database, rules: Rules, at: datetime) -> None:
    scene = Scene(postgres_db, rules, at)
    person = scene.person("ann")
    scene.advance()  # the month is there, so that nobody waits for who makes it

    def leave() -> None:
        with scene.db.transaction() as tx:
            leaving.stop(tx, rules, person, at)

    with ThreadPoolExecutor(1) as pool:
        with scene.db.transaction() as tx:
            admission.admit(tx, rules, by=ANN, account=FLICKR, at=at)
            left = pool.submit(leave)
            wait([left], timeout=0.5)
        left.result(30)
    assert owner(scene, FLICKR) is None


def test_a_sign_in_beside_somebody_who_leaves_finds_its_visit_gone(
    postgres_db: Database, rules: Rules, at: datetime
) -> None:
    scene = Scene(postgres_db, rules, at)
    person = scene.person("ann")
    scene.advance()  # the month is there, so that nobody waits for who makes it
    with scene.db.transaction() as tx:
        token = visits.begin(tx, by=ANN, platform="flickr", intent="link", at=at)
    arrived = arrive(scene, token, "state", "session")

    def sign_in() -> bool:
        with scene.db.transaction() as tx:
            admission.still_there(tx, arrived)
            admission.admit(tx, rules, by=ANN, account=FLICKR, at=at)
            found = admission.still_there(tx, arrived)
            tx.rollback()
            return found is not None

    with ThreadPoolExecutor(1) as pool:
        with scene.db.transaction() as tx:
            leaving.stop(tx, rules, person, at)
            signed_in = pool.submit(sign_in)
            wait([signed_in], timeout=0.5)
        assert not signed_in.result(30)
