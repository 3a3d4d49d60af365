"""The pages of statements in a real browser, on a phone: nothing is refused, nothing sticks out."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, expect

from tests.pages.statements.test_pages import Place, place

__all__ = ["place"]


@pytest.mark.parametrize(
    ("page", "name", "sum_"), [("statement", "ann", "10.00 EUR"), ("earnings", "carol", "6.00 EUR")]
)
async def test_on_a_phone_the_button_leads_in_and_all_is_seen(
    browser: Browser, place: Place, page: str, name: str, sum_: str
) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 740})
    window = await context.new_page()
    said: list[str] = []
    window.on("console", lambda message: said.append(message.text))
    window.on("pageerror", lambda error: said.append(str(error)))
    await window.goto(f"{place.url}/{page}/{await asyncio.to_thread(place.token, page, name)}")
    await window.get_by_role("button", name="Show it here").click()
    await expect(window.get_by_role("heading", name="November 2026")).to_be_visible()
    await expect(window.get_by_text(sum_).first).to_be_visible()
    if page == "statement":
        picture = window.get_by_role("img", name="Where the 10.00 EUR of November 2026 went")
        await expect(picture).to_be_visible()
        assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 720
    for path in ("", "/year/2026"):
        await window.goto(f"{place.url}/{page}{path}")
        assert await window.evaluate("document.documentElement.scrollWidth") == 360
    assert said == []
    await context.close()
