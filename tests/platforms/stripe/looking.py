"""What is only looked at: balances, balance transactions, payouts, events; and the operator's bank."""

from __future__ import annotations

from tests.platforms.stripe.errors import StripeError, parameter_missing
from tests.platforms.stripe.forms import Params, inside, needed, number, several, text
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.sending import Sending
from tests.platforms.stripe.world import Object


class Looking(Sending):
    """The account as a whole."""

    @property
    def whose(self) -> str | None:
        """On behalf of which connected account is asked; None: of the platform."""
        return self.request.account if self.request else None

    @route("GET /v1/balance")
    def balance_retrieve(self, params: Params) -> Object:
        return self.balance_object(self.whose)

    @route("GET /v1/balance_transactions")
    def movements(self, params: Params) -> Object:
        kind, source = text(params, "type"), text(params, "source")
        found = [
            each
            for each in self.all("balance_transaction")
            if kind in (None, each["type"]) and source in (None, each["source"])
        ]
        return self.page(found, params, "/v1/balance_transactions")

    @route("GET /v1/balance_transactions/{id}")
    def movement(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("balance_transaction", id)

    @route("GET /v1/payouts/{payout}")
    def payout_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("payout", id, account=self.whose)

    @route("GET /v1/payouts")
    def payout_list(self, params: Params) -> Object:
        status = text(params, "status")
        return self.page(
            [each for each in self.all("payout") if status in (None, each["status"])], params, "/v1/payouts"
        )

    @route("POST /v1/payouts")
    def payout_create(self, params: Params) -> Object:
        amount = number(params, "amount")
        if amount is None:
            raise parameter_missing("amount")
        made = self.objects[self.pay_out(amount)]
        self.noted(made, params)
        return made

    @route("GET /v1/topups/{topup}")
    def topup_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("topup", id)

    @route("GET /v1/topups")
    def topup_list(self, params: Params) -> Object:
        return self.page(self.all("topup"), params, "/v1/topups")

    @route("POST /v1/topups")
    def topup_create(self, params: Params) -> Object:
        amount = number(params, "amount")
        if amount is None:
            raise parameter_missing("amount")
        made = self.objects[self.top_up(amount)]
        self.noted(made, params)
        return made

    # Events

    @route("GET /v1/events/{id}")
    def event_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("event", id, account=self.whose)

    @route("GET /v1/events")
    def event_list(self, params: Params) -> Object:
        kinds = set(several(params, "types")) | ({needed(params, "type")} if text(params, "type") else set())
        return self.page(
            [each for each in self.all("event") if not kinds or each["type"] in kinds], params, "/v1/events"
        )

    @route("GET /v2/core/events/{id}")
    def thin_event(self, params: Params, id: str) -> Object:  # noqa: A002
        found = self.get("v2.core.event", id)
        return self.shown(found) | ({"data": found["_data"]} if "_data" in found else {})

    @route("GET /v2/core/events")
    def thin_events(self, params: Params) -> Object:
        about, kinds = text(params, "object_id"), several(params, "types")
        since = text(dict(inside(params, "created")), "gte") or ""
        found = [
            each
            for each in reversed(self.all("v2.core.event"))
            if about in (None, each["related_object"]["id"])
            and (not kinds or each["type"] in kinds)
            and each["created"] >= since
        ]
        return self.v2_page(found, params, "/v2/core/events", self.shown)

    # Webhook endpoints: only that they are there

    @route("GET /v1/webhook_endpoints")
    def endpoint_list(self, params: Params) -> Object:
        return self.page(self.all("webhook_endpoint"), params, "/v1/webhook_endpoints")

    @route("POST /v1/webhook_endpoints")
    def endpoint_create(self, params: Params) -> Object:
        enabled = several(params, "enabled_events")
        if self.spec is not None:
            for each in enabled:
                if each != "*" and each not in self.spec.snapshots:
                    raise StripeError(400, f"Invalid enabled_events: {each}", param="enabled_events")
        made = self.add(
            "webhook_endpoint",
            "we",
            api_version=text(params, "api_version"),
            application=None,
            description=text(params, "description"),
            enabled_events=enabled,
            metadata={},
            status="enabled",
            url=needed(params, "url"),
        )
        self.noted(made, params)
        return {**made, "secret": "whsec_fake_" + made["id"]}
