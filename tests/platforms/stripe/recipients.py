"""Accounts of those who are paid (v2): their recipient configuration, hosted onboarding, restrictions."""

from __future__ import annotations

import copy
from typing import Any

from tests.platforms.stripe.disputing import Disputing
from tests.platforms.stripe.errors import StripeError, malformed
from tests.platforms.stripe.forms import Params, flag, inside, several, text
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object

_INCLUDED = ("defaults", "identity", "requirements", "future_requirements")
_RECIPIENT = "configuration.recipient"
_UPDATED = "v2.core.account[{}].updated"
_CAPABILITY = "v2.core.account[configuration.recipient].capability_status_updated"
_ENTRIES = ("identity.individual.given_name", "defaults.payout_methods", "identity.attestations.terms_of_service")


class Recipients(Disputing):
    """Connected accounts that only receive transfers."""

    @route("POST /v2/core/accounts")
    def account_create(self, params: Params) -> Object:
        recipient = inside(params, "configuration", "recipient")
        wanted = flag(dict(inside(recipient, "capabilities", "stripe_balance", "stripe_transfers")), "requested")
        duties = inside(params, "defaults", "responsibilities")
        dashboard = text(params, "dashboard")
        if recipient and not duties:
            raise malformed(
                "defaults.responsibilities is required for the requested configuration.",
                "defaults.responsibilities",
                code="parameter_missing",
            )
        if dashboard == "express" and (duties.get("fees_collector"), duties.get("losses_collector")) not in (
            ("application", "application"),
            ("application_express", "application"),
        ):
            raise malformed(
                "Accounts with the express dashboard need fees_collector and losses_collector to be application.",
                "defaults.responsibilities",
            )
        identity = dict(inside(params, "identity"))
        made = self.add(
            "v2.core.account",
            "acct",
            _status="restricted" if wanted else "unsupported",
            _details=[{"code": "requirements_past_due", "resolution": "provide_info"}],
            _needs=list(_ENTRIES) if wanted else [],
            applied_configurations=["recipient"] if recipient else [],
            closed=False,
            contact_email=text(params, "contact_email"),
            dashboard=dashboard,
            display_name=text(params, "display_name"),
            metadata={},
            _defaults={
                "currency": text(dict(inside(params, "defaults")), "currency"),
                "locales": None,
                "responsibilities": {**duties, "requirements_collector": "stripe"},
            },
            _identity={
                "country": identity.get("country"),
                "entity_type": identity.get("entity_type"),
                "individual": None,
                "business_details": None,
            },
        )
        made["created"] = self.iso()
        self.noted(made, params)
        self.emit_thin("v2.core.account.created", made)
        return self.account_shown(made, several(params, "include"))

    def account_shown(self, made: Object, include: list[str]) -> Object:
        """An account with what is asked for; everything else is null, even if it is there."""
        shown = {key: copy.deepcopy(value) for key, value in made.items() if not key.startswith("_")}
        shown |= {"configuration": None, **dict.fromkeys(_INCLUDED)}
        for each in include:
            if each == _RECIPIENT:
                capability = {"status": made["_status"], "status_details": copy.deepcopy(made["_details"])}
                applied = "recipient" in made["applied_configurations"]
                shown["configuration"] = {
                    "customer": None,
                    "merchant": None,
                    "recipient": {
                        "applied": applied,
                        "capabilities": {"stripe_balance": {"payouts": None, "stripe_transfers": capability}},
                    }
                    if applied
                    else None,
                }
            elif each in ("defaults", "identity"):
                shown[each] = copy.deepcopy(made[f"_{each}"])
            elif each == "requirements":
                shown[each] = self._requirements(made)
        return shown

    def _requirements(self, made: Object) -> Object:
        entries = [
            {
                "awaiting_action_from": "user",
                "description": each,
                "errors": [],
                "impact": {
                    "restricts_capabilities": [
                        {
                            "capability": "stripe_balance.stripe_transfers",
                            "configuration": "recipient",
                            "deadline": {"status": "past_due"},
                        }
                    ]
                },
                "minimum_deadline": {"status": "past_due"},
                "requested_reasons": [{"code": "routine_onboarding"}],
            }
            for each in made["_needs"]
        ]
        summary = {"minimum_deadline": {"status": "past_due", "time": None}} if entries else None
        return {"entries": entries, "summary": summary}

    def account(self, id: str, param: str | None = None) -> Object:  # noqa: A002
        """An account, closed or not."""
        return self.get("v2.core.account", id, param=param)

    @route("GET /v2/core/accounts/{id}")
    def account_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.account_shown(self.account(id), several(params, "include"))

    @route("POST /v2/core/accounts/{id}")
    def account_update(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.account(id)
        for name in ("contact_email", "display_name", "dashboard"):
            if name in params:
                made[name] = text(params, name)
        if inside(params, "identity"):
            made["_identity"] |= {
                name: value for name, value in inside(params, "identity").items() if name in made["_identity"]
            }
            self.emit_thin(_UPDATED.format("identity"), made)
        if inside(params, "configuration", "recipient") and made["_status"] == "unsupported":
            made |= {"applied_configurations": ["recipient"], "_status": "restricted", "_needs": list(_ENTRIES)}
            self.emit_thin(_UPDATED.format(_RECIPIENT), made)
        self.noted(made, params)
        self.emit_thin("v2.core.account.updated", made)
        return self.account_shown(made, several(params, "include"))

    @route("POST /v2/core/accounts/{id}/close")
    def account_close(self, params: Params, id: str) -> Object:  # noqa: A002
        if self.connected_balance(id):
            raise StripeError(400, "An account with a balance can't be closed.", code="account_balance_not_zero")
        self.close(id)
        return self.account_shown(self.account(id), [])

    @route("GET /v2/core/accounts")
    def account_list(self, params: Params) -> Object:
        closed = flag(params, "closed")
        found = [each for each in reversed(self.all("v2.core.account")) if each["closed"] == closed]
        return self.v2_page(found, params, "/v2/core/accounts", lambda each: self.account_shown(each, []))

    def v2_page(self, found: list[Object], params: Params, path: str, show: Any) -> Object:
        """A page of a v2 list: the way on is an address."""
        limit, at = int(params.get("limit") or 20), int(params.get("page") or 0)
        query = "".join(
            f"&{name}[{number}]={each}"
            for name in ("types", "applied_configurations")
            for number, each in enumerate(several(params, name))
        )
        query += "".join(f"&{name}={params[name]}" for name in ("object_id", "closed") if name in params)
        further = at + limit
        return {
            "data": [show(each) for each in found[at:further]],
            "next_page_url": f"{path}?limit={limit}&page={further}{query}" if further < len(found) else None,
            "previous_page_url": f"{path}?limit={limit}&page={max(0, at - limit)}{query}" if at else None,
        }

    # What happens to accounts

    def identify(self, account: Object, *, active: bool) -> None:
        """Everything that was wanted is there."""
        account["_needs"] = []
        account["_identity"] |= {"entity_type": "individual"}
        self.emit_thin(_UPDATED.format("identity"), account)
        self.emit_thin(_UPDATED.format("requirements"), account)
        details = [] if active else [{"code": "determining_status", "resolution": "no_resolution"}]
        self._status(account, "active" if active else "pending", details)

    def _status(self, account: Object, status: str, details: list[Object]) -> None:
        changed = account["_status"] != status
        account |= {"_status": status, "_details": details}
        self.emit_thin(_UPDATED.format(_RECIPIENT), account)
        if changed:
            self.emit_thin(_CAPABILITY, account, {"updated_capability": "stripe_balance.stripe_transfers"})

    def has_account(self, person: int | None = None, *, active: bool = True, country: str = "DE") -> str:
        """An account without clicking, for tests about something else."""
        with self.lock:
            transfers = {"stripe_balance": {"stripe_transfers": {"requested": True}}}
            made = self.account_create(
                {
                    "configuration": {"recipient": {"capabilities": transfers}},
                    "dashboard": "express",
                    "defaults": {
                        "responsibilities": {"fees_collector": "application", "losses_collector": "application"}
                    },
                    "identity": {"country": country},
                    "metadata": {} if person is None else {self.names.person: str(person)},
                }
            )
            if active:
                self.identify(self.objects[made["id"]], active=True)
            return str(made["id"])

    def restrict(
        self, account: str, needs: tuple[str, ...] = ("identity.individual.documents.primary_verification",)
    ) -> None:
        """Stripe wants to know more; until then nothing can be sent there."""
        with self.lock:
            self.tick()
            made = self.objects[account]
            made["_needs"] = list(needs)
            self.emit_thin(_UPDATED.format("requirements"), made)
            self._status(made, "restricted", [{"code": "requirements_past_due", "resolution": "provide_info"}])

    def activate(self, account: str) -> None:
        """Stripe has all that it wants to know."""
        with self.lock:
            self.tick()
            self.identify(self.objects[account], active=True)

    def close(self, account: str) -> None:
        """An account ends."""
        with self.lock:
            self.tick()
            made = self.objects[account]
            made |= {"closed": True, "_status": "unsupported", "_details": []}
            self.emit_thin("v2.core.account.closed", made)
