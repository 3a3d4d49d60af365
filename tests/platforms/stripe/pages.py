"""Stripe's own pages, as far as a browser needs them: entering a card, the bank's question, onboarding."""

from __future__ import annotations

from html import escape

from tests.platforms.stripe import cards
from tests.platforms.stripe.cards import CardRefused
from tests.platforms.stripe.errors import StripeError
from tests.platforms.stripe.honesty import Honesty

Page = tuple[int, dict[str, str], bytes]


def page(title: str, *buttons: tuple[str, str, str], word: str = "", status: int = 200) -> Page:
    """A page with a form of buttons: (name, value, what it says)."""
    shown = "".join(
        f'<p><button name="{escape(name)}" value="{escape(value)}">{escape(says)}</button></p>'
        for name, value, says in buttons
    )
    form = f'<form method="post">{shown}</form>' if shown else ""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<h1>{escape(title)}</h1><p>{escape(word)}</p>{form}</html>"
    )
    return status, {"Content-Type": "text/html; charset=utf-8"}, text.encode()


def goes(address: str) -> Page:
    """The browser is sent on."""
    return 303, {"Location": address}, b""


class Pages(Honesty):
    """GET shows the page, POST presses one of its buttons."""

    def browse(self, method: str, path: str, form: dict[str, str]) -> Page | None:
        """What a browser gets; None: there is no such page."""
        steps = path.strip("/").split("/")
        with self.lock:
            self.tick()
            try:
                if steps[:2] == ["c", "pay"] and len(steps) == 3:
                    return self._checkout(method, steps[2], form)
                if steps[0] == "bank" and len(steps) == 2:
                    return self._bank(method, steps[1], form)
                if steps[0] == "setup" and len(steps) == 4:
                    return self._onboarding(method, steps[3], form)
            except (KeyError, StripeError) as told:
                return page("Something went wrong", word=str(told), status=404)
        return None

    def _checkout(self, method: str, session: str, form: dict[str, str]) -> Page:
        made = self.objects[session]
        if made["status"] != "open":
            return page("This page has ended", word="Go back and ask for another.", status=410)
        buttons = [("card", each.name, f"{each.name} {each.last4}") for each in cards.ALL]
        back = [("cancel", "yes", "Back")] if made["cancel_url"] else []
        word = ""
        if method == "POST":
            if form.get("cancel"):
                return goes(self.person_cancels(session))
            try:
                return goes(self.person_enters_card(session, cards.BY_NAME[form["card"]]))
            except CardRefused as told:
                word = str(told)
        return page("Save your card", *buttons, *back, word=word)

    def _bank(self, method: str, intent: str, form: dict[str, str]) -> Page:
        if method == "POST":
            return goes(self.person_authenticates(intent, passes=form.get("passes") == "yes"))
        made = self.objects[intent]
        if made["status"] != "requires_action":
            return page("Your bank", word="There is nothing to confirm.", status=410)
        buttons = (("passes", "yes", "Confirm"), ("passes", "no", "Refuse"))
        return page("Your bank", *buttons, word=f"Pay {made['amount'] / 100:.2f} {made['currency'].upper()}?")

    def _onboarding(self, method: str, token: str, form: dict[str, str]) -> Page:
        if method == "POST":
            return goes(self.link_leads(token, finish=form.get("finish") == "yes"))
        _, link = self.link_at(token)
        if self.link_opens(token) is None:
            return goes(str(link["way"]["refresh_url"]))
        return page("Who you are", ("finish", "yes", "Everything is filled in"), ("finish", "no", "Later"))
