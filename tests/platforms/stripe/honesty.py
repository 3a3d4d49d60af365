"""What must always be true of money, and sums for oracles."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tests.platforms.stripe.delivering import Delivering
from tests.platforms.stripe.world import Asked, Object

_RANDOM = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
"""The library makes such a key where it is given none: then a repeated request moves money again."""
_MONEY = re.compile(r"/v1/(payment_intents(/[^/]+/confirm)?|transfers(/[^/]+/reversals)?|refunds|payouts|topups)")


class Honesty(Delivering):
    """`assert_honest`, and what was charged, refunded and paid."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.requests: list[Asked] = []

    def heard(self, asked: Asked) -> None:
        """Judge a request for money by its key."""
        if asked.method != "POST" or not _MONEY.fullmatch(asked.path):
            return
        if not asked.key:
            self.lies.append(f"POST {asked.path} has no idempotency key")
        elif _RANDOM.fullmatch(asked.key):
            self.lies.append(f"POST {asked.path} has no idempotency key of its own, only the library's random one")

    def charged(self, statement: object) -> int:
        """What was collected for a statement, refunds not taken off; minor units."""
        with self.lock:
            return sum(each["amount_received"] for each in self.intents_of(statement))

    def refunded(self, statement: object) -> int:
        """What went back to the patron of it by refunds that stand."""
        with self.lock:
            ids = {each["id"] for each in self.intents_of(statement)}
            return sum(
                each["amount"]
                for each in self.all("refund")
                if each["payment_intent"] in ids and each["status"] in ("succeeded", "pending")
            )

    def paid(self, payout: object) -> int:
        """What was sent for a payout, less what was taken back."""
        with self.lock:
            return sum(each["amount"] - each["amount_reversed"] for each in self.transfers_of(payout))

    def transferred(self, account: str) -> int:
        """What was sent to an account, less what was taken back."""
        with self.lock:
            return sum(
                each["amount"] - each["amount_reversed"]
                for each in self.all("transfer")
                if each["destination"] == account
            )

    def intent_of(self, statement: object) -> Object | None:
        """The newest intent of a statement as the API shows it."""
        with self.lock:
            found = self.intents_of(statement)
            return self.shown(found[-1]) if found else None

    def assert_honest(self) -> None:
        """Nobody was charged or paid twice, nothing was tried again that mustn't be, every request was well formed."""
        with self.lock:
            self._sums()
            told = [*(f"refused: {each}" for each in self.wrong), *self.lies]
            told += [f"the fake itself: {each}" for each in self.defects]
            if told:
                raise AssertionError("\n".join(["Stripe saw what must not be:", *dict.fromkeys(told)]))

    def forgive(self) -> None:
        """Forget what was wrong; for tests of the fake itself."""
        with self.lock:
            for each in (self.wrong, self.lies, self.defects):
                each.clear()

    def _sums(self) -> None:
        """The balance is the sum of its transactions, and nobody has less than nothing by being reversed."""
        nets = sum(each["net"] for each in self.all("balance_transaction"))
        if nets != self.balance:
            self.defects.append(f"the balance is {self.balance}, its transactions say {nets}")
        paid = Counter(each["payment_intent"] for each in self.all("charge") if each["status"] == "succeeded")
        self.defects += [f"{intent} was paid {times} times" for intent, times in paid.items() if times > 1]
