"""What a browser complains about while a page is looked at."""

from __future__ import annotations

from playwright.async_api import ConsoleMessage, Page, Request


def complaints_of(page: Page) -> list[str]:
    """A list that gets every complaint from now on: errors, what the page's policy refuses, what cannot be loaded.

    What was still on its way when the page was left is none.
    """
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def failed(request: Request) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):
            complaints.append(f"{request.url}: {request.failure}")

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", failed)
    return complaints
