"""The sandbox's page in a real browser: by mouse, by keyboard, without JavaScript, on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.pages.conftest import Stage
from tests.pages.tabs import complaints_of


class Watched:
    """A page that keeps every complaint of the browser (errors, refused content)."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints = complaints_of(page)

    async def settled(self) -> None:
        await expect(self.page.locator("[aria-busy]")).to_have_count(0)

    async def say(self, text: str) -> None:
        await self.page.fill("#say", text)
        await self.page.press("#say", "Enter")
        await self.settled()

    async def overflow(self) -> int:
        return int(
            await self.page.evaluate(
                "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )


@pytest.fixture
async def desk(stage: Stage, browser: Browser) -> AsyncIterator[Watched]:
    opened = Watched(await browser.new_page(viewport={"width": 1280, "height": 900}))
    await opened.page.goto(stage.url)
    yield opened
    assert opened.complaints == []


async def test_a_month_is_played_with_the_mouse_and_the_page_stays_where_it_is(desk: Watched) -> None:
    page = desk.page
    await page.get_by_role("button", name="budget 35", exact=True).click()
    await expect(page.locator("#chat-log li.bot").last).to_contain_text("35.00 EUR")
    likes = page.locator(".post:not(:has-text('not here yet')) .like")
    for place in range(10):
        await likes.nth(place).click()
        await expect(likes.nth(place)).to_have_attribute("aria-pressed", "true")
    before = await page.evaluate("() => scrollY")
    assert before > 0
    await expect(page.locator(".post .chip.good")).to_have_text(["worth 3.15 EUR now"] * 10)
    assert await page.evaluate("() => scrollY") == before
    await page.get_by_role("button", name="Close the month").click()
    await expect(page.locator(".statement .sum")).to_have_text("10 \N{MULTIPLICATION SIGN} 3.15 + 3.50 fee = 35.00 EUR")
    await expect(page.locator(".check")).to_contain_text("the books hold")
    await expect(page.locator(".hints .done")).to_have_count(4)
    await expect(page.locator(".hints li").nth(2)).to_contain_text("Done.")
    await expect(page.locator(".hints")).not_to_contain_text("The button is below")


async def test_a_like_by_keyboard_keeps_the_focus(desk: Watched) -> None:
    page = desk.page
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the feed")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    like = page.locator(".like").first
    await expect(like).to_be_focused()
    assert await like.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    for key, pressed in (("Enter", "true"), ("Space", "false"), ("Space", "true")):
        await page.keyboard.press(key)
        await expect(like).to_have_attribute("aria-pressed", pressed)
        await desk.settled()
        await expect(like).to_be_focused()
    await expect(like.locator(".count")).to_have_text("1")


async def test_somebody_else_is_chosen_by_keyboard(desk: Watched) -> None:
    page = desk.page
    summary = page.locator(".players summary")
    await summary.press("Enter")
    await page.get_by_role("link", name="Ines").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Harbour")
    await page.locator(".players summary").press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.locator(".players nav")).to_be_hidden()
    await expect(page.locator(".players summary")).to_be_focused()


async def test_the_newest_message_is_in_view_and_the_field_is_free_for_the_next(desk: Watched) -> None:
    for text in ("help", "budget 35", "status", "card"):
        await desk.say(text)
        await expect(desk.page.locator("#say")).to_have_value("")
    await expect(desk.page.locator("#say")).to_be_focused()
    await expect(desk.page.locator("#chat-log li.me")).to_have_count(4)
    await expect(desk.page.locator("#chat-log li.bot").last).to_be_in_viewport()


async def test_a_page_that_is_out_of_date_loads_itself_again(desk: Watched) -> None:
    await desk.page.context.clear_cookies()
    async with desk.page.expect_navigation():
        await desk.page.locator(".like").first.click()
    await expect(desk.page.locator(".like").first).to_have_attribute("aria-pressed", "false")
    desk.complaints.clear()  # the browser reports the 403


async def test_everything_works_without_javascript(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    await page.goto(stage.url)
    await page.fill("#say", "budget 35")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#chat-log li.bot").last).to_contain_text("35.00 EUR")
    await expect(page.locator("#chat-log li.bot").last).to_be_in_viewport()
    likes = page.locator(".post:not(:has-text('not here yet')) .like")
    for place in range(10):
        await likes.nth(place).click()
        await expect(likes.nth(place)).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="Close the month").click()
    await expect(page.locator(".statement .sum")).to_have_text("10 \N{MULTIPLICATION SIGN} 3.15 + 3.50 fee = 35.00 EUR")
    await page.get_by_text("Every share with its receipt").click()
    await expect(page.locator(".statement tbody tr")).to_have_count(10)


@pytest.mark.parametrize("width", [320, 390, 768, 1024])
async def test_nothing_is_wider_than_the_screen(stage: Stage, browser: Browser, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 844}, color_scheme="dark")
    phone = Watched(await context.new_page())
    await phone.page.goto(f"{stage.url}/?as=sandbox2:nia")
    await phone.say("budget 35")
    await phone.say("x" * 300)
    await phone.page.locator(".like").first.click()
    await phone.settled()
    await phone.page.get_by_role("button", name="Close the month").click()
    await expect(phone.page.locator(".statement .sum")).to_have_count(1)
    creators = phone.page.get_by_role("region", name="Creators", exact=True)
    assert await creators.evaluate("each => each.scrollWidth - each.clientWidth") <= 0
    heights = await phone.page.locator(".months .chip").evaluate_all("all => all.map(each => each.offsetHeight)")
    assert len(heights) > 1
    assert max(heights) < 32, "a chip is a line high, whatever its tone"
    for summary in await phone.page.locator("main details > summary").all():
        await summary.click()
    assert await phone.overflow() <= 0
    await phone.page.locator(".players summary").click()
    assert await phone.overflow() <= 0
    assert phone.complaints == []
