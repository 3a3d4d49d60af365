"""The pages around paying: by hand, by link previews, forgers and strangers; the processor is in another house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from core.access import visits
from core.database import Database
from core.errands import keeping
from core.errands.keeping import ErrandCounts
from core.payments.gateway import Done, Refused, Unknown
from core.payments.sandbox import SandboxGateway
from core.payments.states import Redirect
from core.people import merging, persons
from core.rules import Rules
from pages.paying.routes import AGAIN, COOKIE, add_routes
from tests.pages.paying_street import Street, served, street
from tests.platforms.hosted_processor import AMERICAN, VISA, WANTS_YOU, HostedProcessor
from tests.scene import Scene

HUB = "https://hub.example"


@pytest.fixture(params=["https://hub.example", "http://127.0.0.1"])
def hub(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(sqlite_db: Database, rules: Rules, at) -> Scene:
    return Scene(sqlite_db, rules, at)


@pytest.fixture
async def here(world: Scene) -> AsyncIterator[Street]:
    async with street(world, HUB) as served:
        yield served


DOORS = [("card", "card"), ("payouts", "payouts")]


# Before anything has happened


@pytest.mark.parametrize(("page", "button"), [("card", "Go on at Stripe"), ("payouts", "Go on at Stripe")])
async def test_the_page_says_who_asked_and_has_one_button(here: Street, page: str, button: str) -> None:
    address = await here.address("ann", page)
    async with here.browser() as browser:
        answer, shown = await browser.get(address)
    assert answer.status == 200
    assert "ann on Pond (pond:id-ann)" in shown
    assert shown.count("<form") == shown.count("<button") == 1
    for words in (button, "close this page", "12:10 UTC", "hub.example", "Test money"):
        assert words in shown
    assert "<script" not in shown
    assert " style=" not in shown
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https:;" in policy
    assert "script-src" not in policy
    assert here.house.asked == []


async def test_real_money_is_not_called_test_money(world: Scene) -> None:
    world.gateway = HostedProcessor(world.db, pretend=False)
    async with served(world, address=HUB) as url, aiohttp.ClientSession() as session:
        here = Street(world, world.gateway, url)
        async with session.get(url + await here.address()) as answer:
            shown = await answer.text()
    assert "Enter your card" in shown
    assert "est money" not in shown
    assert "4242" not in shown


async def test_a_link_preview_uses_nothing_up_and_gets_no_cookie_to_come_back_with(here: Street) -> None:
    for page in ("card", "payouts"):
        address = await here.address("ann", page)
        async with here.browser() as preview:
            for method in ("GET", "HEAD", "GET", "GET"):
                answer, _ = await preview.get(address, method)
                assert answer.status == 200
                assert COOKIE not in answer.cookies
        async with here.browser() as browser:
            assert (await browser.go(address))[0].status == 303
    assert [what for what, *_ in here.house.asked] == ["enter_card", "onboard"]


@pytest.mark.parametrize("door", ["card", "payouts", "pay"])
async def test_an_unknown_address_says_what_to_do(here: Street, door: str) -> None:
    async with here.browser() as browser:
        answer, shown = await browser.get(f"/{door}/{'x' * 43}")
        assert answer.status == 410
        assert "Write to the bot for a new one" in shown
        for path in (f"/{door}/short", f"/{door}/{'x' * 44}", f"/{door}/", f"/{door}/go"):
            assert (await browser.get(path))[0].status in (404, 405)
    assert here.house.asked == []


async def test_one_doors_address_does_not_open_another(here: Street) -> None:
    card, payouts = await here.address("ann", "card"), await here.address("ann", "payouts")
    async with here.browser() as browser:
        for path in (card.replace("card", "payouts"), payouts.replace("payouts", "card")):
            answer, page = await browser.get(path)
            assert answer.status == 410
            answer, _ = await browser.press((await browser.get(card))[1], path)
            assert answer.status == 410
            assert page.count("<form") == 0
        assert (await browser.go(card))[0].status == 303, "and it is not used up by trying"
    assert [what for what, *_ in here.house.asked] == ["enter_card"]


@pytest.mark.parametrize(
    ("token", "headers", "words"),
    [
        ("", {}, "out of date"),
        ("0" * 64, {}, "out of date"),
        (None, {"Origin": "https://evil.example"}, "another site"),
        (None, {"Origin": "null"}, "another site"),
        (None, {"Host": "evil.example"}, "only on the machine"),
    ],
)
async def test_a_forged_form_leads_nowhere(here: Street, token: str | None, headers: dict, words: str) -> None:
    address = await here.address()
    async with here.browser() as browser:
        _, page = await browser.get(address)
        for path in (address, "/card/go", "/payouts/go", "/pay/go"):
            answer, shown = await browser.press(page, path, token=token, **headers)
            assert answer.status == 403
            assert words in shown
            assert "Location" not in answer.headers
    assert here.house.asked == []


async def test_what_is_no_form_or_too_long_is_turned_away(here: Street) -> None:
    address = await here.address()
    async with here.browser() as browser:
        for data, kind in ((b"\xff\xfe", "multipart/form-data"), (b"{}", "application/json")):
            sent = browser.session.post(browser.url + address, data=data, headers={"Content-Type": kind})
            async with sent as answer:
                assert answer.status == 403
        async with browser.session.post(browser.url + address, data=b"x" * 5000) as answer:
            assert answer.status == 413
    assert here.house.asked == []


async def test_a_page_of_one_browser_is_no_form_of_another(here: Street) -> None:
    address = await here.address()
    async with here.browser() as one, here.browser() as other:
        _, page = await one.get(address)
        answer, _ = await other.press(page, address)
    assert answer.status == 403


# Going there


async def test_pressing_leads_to_the_processor_and_binds_the_browser(world: Scene, hub: str) -> None:
    async with street(world, hub) as here, here.browser() as browser:
        answer, _ = await browser.go(await here.address())
        assert answer.status == 303
        person = await here.person()
        assert answer.headers["Location"] == f"https://checkout.example/c/{person}"
        assert here.house.asked == [("enter_card", str(person), f"{hub}/card/done", f"{hub}/card/cancelled")]
        cookie = answer.cookies[COOKIE]
        assert (cookie["path"], cookie["samesite"], cookie["max-age"]) == ("/", "Lax", "1800")
        assert cookie["httponly"]
        assert bool(cookie["secure"]) is hub.startswith("https")
        assert here.told


async def test_the_same_browser_may_press_again_and_go_back_for_half_an_hour(here: Street) -> None:
    address = await here.address()
    async with here.browser() as browser:
        for _ in range(3):
            answer, _ = await browser.go(address)
            assert answer.status == 303
        here.scene.later(minutes=29)
        answer, shown = await browser.get(address)
        assert answer.status == 200
        assert "12:30 UTC" in shown
        here.scene.later(minutes=1)
        assert (await browser.get(address))[0].status == 410
        answer, shown = await browser.press(shown, address)
    assert answer.status == 410
    assert 'used already. Write "card"' in shown.replace("&#34;", '"')


async def test_a_used_address_is_worth_nothing_to_another_browser(here: Street) -> None:
    address = await here.address()
    async with here.browser() as one, here.browser() as other:
        _, page = await other.get(address)
        await one.go(address)
        answer, shown = await other.press(page, address)
        assert answer.status == 410
        assert "used already" in shown
        assert (await other.get(address))[0].status == 410
        for path in ("/card/go", "/pay/go", "/payouts/go"):
            answer, shown = await other.press(page, path)
            assert answer.status == 410
            assert "Write " in shown
    assert len(here.house.asked) == 1


async def test_an_address_that_is_too_old_leads_nowhere(here: Street) -> None:
    address = await here.address()
    async with here.browser() as browser:
        _, page = await browser.get(address)
        here.scene.later(minutes=10)
        answer, shown = await browser.press(page, address)
    assert answer.status == 410
    assert "too old" in shown
    assert here.house.asked == []


async def test_who_left_meanwhile_goes_nowhere(here: Street) -> None:
    address = await here.address()
    async with here.browser() as browser:
        _, page = await browser.get(address)
        account = await here.do(lambda tx: persons.account_of(tx, here.account("ann")))
        assert account is not None

        def leave(tx) -> None:
            row = tx.get_one(type(account), account.id)
            persons.detach(row)

        await here.do(leave)
        assert (await browser.get(address))[0].status == 410
        answer, shown = await browser.press(page, address)
    assert answer.status == 410
    assert "nobody" in shown
    assert here.house.asked == []


async def test_no_parameter_decides_where_anybody_is_sent(here: Street) -> None:
    evil = "?next=https://evil.example&done=https://evil.example&url=//evil.example&redirect=https://evil.example"
    address = await here.address()
    async with here.browser() as browser:
        _, page = await browser.get(address + evil)
        answer, _ = await browser.press(page, address + evil)
        assert answer.headers["Location"].startswith("https://checkout.example/")
        for path in ("/card/done", "/card/cancelled", "/payouts/done", "/payouts/again", "/pay/done"):
            answer, shown = await browser.get(path + evil)
            assert "Location" not in answer.headers
            assert "evil" not in shown
    assert "evil" not in str(here.house.asked)


async def test_a_silent_processor_loses_nothing_and_may_be_tried_again(here: Street) -> None:
    here.house.silent = True
    for page in ("card", "payouts"):
        async with here.browser() as browser:
            answer, shown = await browser.go(await here.address("ann", page))
            assert answer.status == 503
            assert "Stripe does not answer just now" in shown
            assert "nothing is lost" in shown
            answer, shown = await browser.press(shown, f"/{page}/go")
            assert answer.status == 503
            here.house.silent = False
            answer, _ = await browser.press(shown, f"/{page}/go")
            assert answer.status == 303
            here.house.silent = True


# Back with a card


async def entered(here: Street, browser, card=VISA, failure: str | None = None) -> tuple:
    await browser.go(await here.address())
    session = here.house.entered(await here.person(), card, failure)
    return await browser.get(f"/card/done?session_id={session}")


async def test_a_card_is_taken_and_shown_however_often_it_is_looked_at(here: Street) -> None:
    async with here.browser() as browser:
        answer, shown = await entered(here, browser)
        again, shown_again = await browser.get("/card/done?session_id=cs_test_0")
    assert answer.status == again.status == 200
    for page in (shown, shown_again):
        assert "Your card is taken" in page
        assert "Visa ending in 4242" in page
        assert "Test money" in page
        assert "pm_visa" not in page
    assert await here.card() == VISA.reference
    assert here.told


async def test_coming_back_proves_nothing(here: Street) -> None:
    async with here.browser() as browser:
        answer, shown = await entered(here, browser, card=None)
        assert answer.status == 200
        assert "No card was entered" in shown
        assert "Go there once more" in shown
        answer, _ = await browser.press(shown, "/card/go")
        assert answer.status == 303
    assert await here.card() is None


async def test_a_card_that_fails_says_why_and_may_be_tried_again(here: Street) -> None:
    async with here.browser() as browser:
        _, shown = await entered(here, browser, card=None, failure="your bank <b>said</b> no.")
    assert "your bank &lt;b&gt;said&lt;/b&gt; no." in shown
    assert "Try again" in shown
    assert await here.card() is None


async def test_a_card_of_another_country_is_refused_with_the_rule(world: Scene) -> None:
    world.rules = replace(world.rules, countries=frozenset({"DE", "AT"}))
    async with street(world, HUB) as here, here.browser() as browser:
        _, shown = await entered(here, browser, card=AMERICAN)
        assert "Austria and Germany only" in shown
        assert "Enter another card" in shown
        assert await here.card() is None


@pytest.mark.parametrize(
    "session",
    [
        "",
        "cs_unknown",
        "../../v1/charges",
        "cs_test_0%00",
        "cs_test_0%0d%0aX-Evil:1",
        "%F0%9F%92%A9",
        "x" * 300,
        "cs_test_0&session_id=cs_test_1",
        "{CHECKOUT_SESSION_ID}",
        "<script>alert(1)</script>",
    ],
)
async def test_a_hostile_session_id_shows_nothing_of_anybody(here: Street, session: str) -> None:
    here.house.entered(await here.person("ben"))
    here.house.entered(await here.person("ben"), replace(VISA, reference="pm_2", last4="9999"))
    async with here.browser() as browser:
        await browser.go(await here.address())
        answer, shown = await browser.get(f"/card/done?session_id={session}")
    assert answer.status == 200
    assert "No card was entered" in shown
    for secret in ("4242", "9999", "alert(1)", "X-Evil"):
        assert secret not in shown.replace("4242 4242", "")
    assert await here.card("ben") is None, "what another person entered is learned from the processor's own events"
    assert all(
        len(what[1]) <= 255 and what[1].replace("_", "").isalnum() for what in here.house.asked if "setup" in what[0]
    )


async def test_an_unknown_browser_makes_nobody_ask_the_processor(here: Street) -> None:
    here.house.entered(await here.person())
    async with here.browser() as browser:
        for path in ("/card/done?session_id=cs_test_0", "/card/cancelled", "/payouts/done", "/pay/done"):
            answer, shown = await browser.get(path)
            assert answer.status == 200
            assert "You can close this page" in shown
            assert "4242" not in shown
        answer, shown = await browser.get("/payouts/again")
        assert answer.status == 410
        assert "Write payouts to the bot" in shown
        for path in ("/card/done", "/payouts/done", "/payouts/again", "/pay/done"):
            assert (await browser.get(path, "HEAD"))[0].status == 405
    assert here.house.asked == []


async def test_a_silent_processor_on_the_way_back_is_asked_again(here: Street) -> None:
    async with here.browser() as browser:
        await browser.go(await here.address())
        session = here.house.entered(await here.person())
        here.house.silent = True
        answer, shown = await browser.get(f"/card/done?session_id={session}")
        assert answer.status == 503
        assert "nothing is lost" in shown
        assert await here.do(keeping.counts) == ErrandCounts(waiting=1, done=0, failed=0), "if they never come again"
        here.house.silent = False
        assert "Your card is taken" in (await browser.get(f"/card/done?session_id={session}"))[1]


async def test_who_cancels_keeps_what_they_had(here: Street) -> None:
    await here.enters()
    async with here.browser() as browser:
        _, page = await browser.get(address := await here.address())
        assert "Replace your card" in page
        assert "Visa ending in 4242" in page
        await browser.press(page, address)
        _, shown = await browser.get("/card/cancelled")
    assert "charged to your card Visa ending in 4242, as before" in shown
    assert await here.card() == VISA.reference


async def test_a_card_entered_before_a_merge_is_the_one_persons_card(here: Street) -> None:
    ben, ann = await here.person("ben"), await here.person("ann")
    async with here.browser() as browser:
        await browser.go(await here.address("ann"))
        session = here.house.entered(ann)
        await here.do(lambda tx: merging.merge(tx, here.scene.rules, keep_id=ben, lose_id=ann, at=here.scene.at))
        _, shown = await browser.get(f"/card/done?session_id={session}")
    assert "Your card is taken" in shown
    assert await here.card("ben") == VISA.reference


# Payouts


async def test_being_back_is_not_being_payable(here: Street) -> None:
    async with here.browser() as browser:
        answer, _ = await browser.go(await here.address("carol", "payouts"))
        assert answer.headers["Location"] == "https://connect.example/s/1"
        person = await here.person("carol")
        assert here.house.asked == [("onboard", str(person), f"{HUB}/payouts/done", f"{HUB}/payouts/again")]
        here.house.told(person, active=False, needs=("external_account", "individual.dob.day"))
        _, shown = await browser.get("/payouts/done")
        assert "Not done yet" in shown
        assert "your bank account" in shown
        assert "your date of birth" in shown
        assert "external_account" not in shown
        assert not await here.can_pay("carol")
        answer, _ = await browser.press(shown, "/payouts/go")
        assert answer.status == 303
        here.house.told(person)
        for _ in range(2):
            _, shown = await browser.get("/payouts/done")
            assert "You can be paid" in shown
        assert await here.can_pay("carol")


async def test_while_the_processor_looks_the_page_says_so(here: Street) -> None:
    async with here.browser() as browser:
        await browser.go(await here.address("carol", "payouts"))
        _, shown = await browser.get("/payouts/done")
    assert "has to look at what you told it" in shown


async def test_a_creator_of_another_country_is_told_the_rule(world: Scene) -> None:
    world.rules = replace(world.rules, countries=frozenset({"DE"}))
    async with street(world, HUB) as here, here.browser() as browser:
        await browser.go(await here.address("carol", "payouts"))
        here.house.told(await here.person("carol"), country="US")
        _, shown = await browser.get("/payouts/done")
        assert "pays creators in Germany, and not in United States" in shown
        assert "<form" not in shown
        assert not await here.can_pay("carol")


async def test_an_onboarding_link_that_is_too_old_is_replaced_for_half_an_hour(here: Street) -> None:
    async with here.browser() as browser:
        await browser.go(await here.address("carol", "payouts"))
        answer, _ = await browser.get("/payouts/again")
        assert (answer.status, answer.headers["Location"]) == (303, "https://connect.example/s/2")
        answer, shown = await browser.get("/payouts/again")
        assert answer.status == 200, "nobody is sent in circles"
        assert (await browser.press(shown, "/payouts/go"))[0].headers["Location"] == "https://connect.example/s/3"
        browser.session.cookie_jar.clear(lambda each: each.key == AGAIN)
        here.house.silent = True
        assert (await browser.get("/payouts/again"))[0].status == 503
        here.house.silent = False
        browser.session.cookie_jar.clear(lambda each: each.key == AGAIN)
        here.scene.later(minutes=30)
        answer, shown = await browser.get("/payouts/again")
    assert answer.status == 410
    assert "Write payouts to the bot" in shown


# Confirming a charge


async def due(here: Street, name: str = "ann") -> tuple[int, str]:
    here.house.answers[VISA.reference] = WANTS_YOU
    statement = await here.unpaid(name)
    return statement, await here.address(name, "card", f"pay:{statement}", "pay")


async def test_a_charge_is_confirmed_at_the_bank(here: Street) -> None:
    statement, address = await due(here)
    async with here.browser() as browser:
        _, page = await browser.get(address)
        for words in (
            "Pay 10.00 EUR for November 2026",
            "Visa ending in 4242",
            "wants you to confirm it",
            "charged once",
        ):
            assert words in page
        for _ in range(2):
            answer, _ = await browser.press(page, address)
            assert (answer.status, answer.headers["Location"]) == (303, "https://bank.example/3ds")
        keys = {what[1] for what in here.house.asked if what[0] == "authenticate"}
        assert keys == {f"pi-confirm-{statement}-2"}, "pressed twice, it is one attempt"
        assert here.house.asked[0][2] == f"{HUB}/pay/done"
        _, shown = await browser.get("/pay/done?payment_intent=pi_other&redirect_status=succeeded")
        assert "Not yet" in shown, "the address that leads back proves nothing"
        assert (await here.statement(statement)).state == "due"
        here.house.confirmed(statement, 1000)
        for _ in range(2):
            _, shown = await browser.get("/pay/done")
            assert "Paid" in shown
            assert "10.00 EUR for November 2026 is collected" in shown
        assert (await here.statement(statement)).state == "collected"
        assert "Nothing is asked of you" in (await browser.get(address))[1]
        _, shown = await browser.press(page, "/pay/go")
        assert "Paid" in shown
    assert len([what for what in here.house.asked if what[0] == "authenticate"]) == 2


async def test_who_is_turned_down_by_the_bank_may_try_again_or_use_another_card(here: Street) -> None:
    statement, address = await due(here)
    async with here.browser() as browser:
        await browser.go(address)
        here.house.turned_down(statement, "the confirmation failed")
        _, shown = await browser.get("/pay/done")
        assert "could not be collected: the confirmation failed" in shown
        assert "you owe nothing" in shown
        answer, _ = await browser.press(shown, "/pay/go")
        assert answer.headers["Location"] == "https://bank.example/3ds"
        answer, _ = await browser.press(shown, "/card/go")
        assert answer.headers["Location"].startswith("https://checkout.example/")
    assert {what[1] for what in here.house.asked if what[0] == "authenticate"} == {
        f"pi-confirm-{statement}-2",
        f"pi-confirm-{statement}-3",
    }


@pytest.mark.parametrize(
    ("bank", "words"),
    [(Done("ch_1"), "Paid"), (Refused("the card was declined", reference="ch_9"), "the card was declined")],
)
async def test_an_answer_at_once_needs_no_bank(here: Street, bank, words: str) -> None:
    _, address = await due(here)
    here.house.bank = bank
    async with here.browser() as browser:
        answer, _ = await browser.go(address)
        assert (answer.status, answer.headers["Location"]) == (303, f"{HUB}/pay/done")
        _, shown = await browser.get("/pay/done")
    assert words in shown


@pytest.mark.parametrize("how", ["silent", "unknown"])
async def test_no_answer_to_a_payment_is_not_a_no(here: Street, how: str) -> None:
    statement, address = await due(here)
    here.house.silent = how == "silent"
    if how == "unknown":
        here.house.bank = Unknown("no answer")
    async with here.browser() as browser:
        answer, shown = await browser.go(address)
        assert answer.status == 503
        assert "nothing is lost" in shown
        here.house.silent, here.house.bank = False, Redirect("https://bank.example/3ds")
        answer, _ = await browser.press(shown, "/pay/go")
        assert answer.headers["Location"] == "https://bank.example/3ds"
    assert {what[1] for what in here.house.asked if what[0] == "authenticate"} == {f"pi-confirm-{statement}-2"}


async def test_without_a_card_the_way_leads_to_entering_one(here: Street) -> None:
    _, address = await due(here)
    person = await here.person()

    def remove(tx) -> None:
        from core.people import cards

        cards.remove(tx, person, here.scene.at)

    await here.do(remove)
    async with here.browser() as browser:
        answer, shown = await browser.go(address)
        assert answer.status == 200
        assert "There is no card yet" in shown
        answer, _ = await browser.press(shown, "/card/go")
        assert answer.headers["Location"].startswith("https://checkout.example/")
        session = here.house.entered(person, replace(VISA, reference="pm_2", last4="1111"))
        _, shown = await browser.get(f"/card/done?session_id={session}")
    assert "10.00 EUR for November 2026 could not be collected before; it is tried again with this card" in shown


async def test_nobody_pays_or_sees_what_another_owes(here: Street) -> None:
    statement, _ = await due(here, "ben")
    address = await here.address("mallory", "card", f"pay:{statement}", "pay")
    async with here.browser() as browser:
        _, page = await browser.get(address)
        assert "Nothing is asked of you" in page
        assert "10.00" not in page
        answer, shown = await browser.press(page or "", address)
        assert answer.status in (200, 403)
        assert "10.00" not in shown
        _, shown = await browser.get("/pay/done")
        assert "10.00" not in shown
    assert not [what for what in here.house.asked if what[0] == "authenticate"]


@pytest.mark.parametrize("intent", ["pay:", "pay:x", "pay:-1", "pay:99999999999999999999", "pay:7;drop", ""])
async def test_an_odd_intent_pays_nothing(here: Street, intent: str) -> None:
    async with here.browser() as browser:
        answer, shown = await browser.get(await here.address("ann", "card", intent, "pay"))
    assert answer.status == 200
    assert "Nothing is asked of you" in shown


async def test_a_sandbox_has_no_such_pages(world: Scene) -> None:
    app = web.Application()
    add_routes(
        app, db=world.db, rules=world.rules, gateway=SandboxGateway(world.db), clock=lambda: world.at, address=HUB,
        titles={},
    )  # fmt: skip
    assert len(app.router.resources()) == 0


async def test_the_static_files_are_served_once_however_many_pages_there_are(here: Street) -> None:
    async def own(_: web.Request) -> web.Response:
        return web.Response(text="own")

    app = web.Application()
    app.router.add_get("/static/{name}", own)
    add_routes(
        app, db=here.scene.db, rules=here.scene.rules, gateway=here.house, clock=lambda: here.scene.at, address=HUB,
        titles={},
    )  # fmt: skip
    assert [each.canonical for each in app.router.resources()].count("/static/{name}") == 1


def test_the_cookie_lasts_as_long_as_the_browser_may_look() -> None:
    from pages.paying.routes import LASTS

    assert timedelta(seconds=LASTS) == visits.STAY
