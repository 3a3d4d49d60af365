"""Transfers to connected accounts, their reversals, and what those accounts pay out to their banks."""

from __future__ import annotations

from tests.platforms.stripe.errors import StripeError, malformed, no_such, parameter_missing
from tests.platforms.stripe.forms import Params, needed, number, text
from tests.platforms.stripe.onboarding import Onboarding
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object

_POOR = (
    "You have insufficient available funds in your Stripe account. Try adding funds directly to your available balance "
    "by creating Charges using the 4000000000000077 test card. See: "
    "https://docs.stripe.com/testing#available-balance"
)
_INCAPABLE = (
    "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
    "crypto_transfers, legacy_payments"
)
_BANK = {
    "account_closed": "The bank account has been closed.",
    "no_account": "The bank account details on file are probably incorrect. No bank account could be located.",
    "could_not_process": "The bank could not process this payout.",
}


class Sending(Onboarding):
    """Money that goes to creators."""

    def complete(self, made: Object, shown: Object) -> None:
        """A transfer shows its reversals in full."""
        super().complete(made, shown)
        if made["object"] == "transfer":
            mine = [
                self.shown(each) for each in reversed(self.all("transfer_reversal")) if each["transfer"] == made["id"]
            ]
            url = f"/v1/transfers/{made['id']}/reversals"
            shown["reversals"] = {"object": "list", "data": mine[:10], "has_more": len(mine) > 10, "url": url}

    @route("POST /v1/transfers")
    def transfer_create(self, params: Params) -> Object:
        amount, currency = number(params, "amount"), needed(params, "currency")
        if amount is None:
            raise parameter_missing("amount")
        if amount < 1:
            raise malformed("Invalid positive integer", "amount", code="parameter_invalid_integer")
        if currency != self.currency:
            raise malformed(f"Invalid currency: {currency}.", "currency")
        if text(params, "source_transaction") is not None:
            raise StripeError(400, "This fake sends from the available balance only.", param="source_transaction")
        destination = needed(params, "destination")
        account = self.objects.get(destination)
        if account is None or account["object"] != "v2.core.account" or account["closed"]:
            raise no_such("destination", destination, "destination")
        if account["_status"] != "active":
            raise StripeError(400, _INCAPABLE, code="insufficient_capabilities_for_transfer", param="destination")
        if amount > self.available:
            raise StripeError(400, _POOR, code="balance_insufficient")
        made = self.add(
            "transfer",
            "tr",
            amount=amount,
            amount_reversed=0,
            currency=currency,
            description=text(params, "description"),
            destination=destination,
            destination_payment=None,
            metadata={},
            reversed=False,
            source_transaction=None,
            source_type="card",
            transfer_group=text(params, "transfer_group"),
        )
        self.noted(made, params)
        made["balance_transaction"] = self.moved("transfer", -amount, made["id"])["id"]
        self.connected_change(destination, amount)
        self.emit("transfer.created", made)
        payout = made["metadata"].get(self.names.payout)
        standing = [each["id"] for each in self.transfers_of(payout) if not each["reversed"]] if payout else []
        if len(standing) > 1:
            self.lies.append(f"payout {payout} was paid {len(standing)} times: {', '.join(standing)}")
        if self.available < 0:
            self.lies.append(f"more was sent than was available: {made['id']}")
        return made

    def transfers_of(self, payout: object) -> list[Object]:
        """The transfers of a payout, by their metadata."""
        wanted = str(payout)
        return [each for each in self.all("transfer") if each["metadata"].get(self.names.payout) == wanted]

    @route("GET /v1/transfers/{transfer}")
    def transfer_retrieve(self, params: Params, id: str) -> Object:  # noqa: A002
        return self.get("transfer", id)

    @route("POST /v1/transfers/{transfer}")
    def transfer_update(self, params: Params, id: str) -> Object:  # noqa: A002
        made = self.get("transfer", id)
        if "description" in params:
            made["description"] = text(params, "description")
        self.noted(made, params)
        self.emit("transfer.updated", made)
        return made

    @route("GET /v1/transfers")
    def transfer_list(self, params: Params) -> Object:
        group, destination = text(params, "transfer_group"), text(params, "destination")
        found = [
            each
            for each in self.all("transfer")
            if group in (None, each["transfer_group"]) and destination in (None, each["destination"])
        ]
        return self.page(found, params, "/v1/transfers")

    @route("POST /v1/transfers/{id}/reversals")
    def reversal_create(self, params: Params, id: str) -> Object:  # noqa: A002
        transfer = self.get("transfer", id)
        left = transfer["amount"] - transfer["amount_reversed"]
        amount = number(params, "amount")
        amount = left if amount is None else amount
        if left == 0:
            raise StripeError(400, f"Transfer {id} is already fully reversed.")
        if not 1 <= amount <= left:
            raise StripeError(
                400, f"Amount ({amount}) is greater than unreversed amount on transfer ({left})", param="amount"
            )
        if amount > self.connected_balance(transfer["destination"]):
            raise StripeError(
                400,
                "Insufficient funds in the destination account to cover this reversal.",
                code="balance_insufficient",
            )
        made = self.add(
            "transfer_reversal",
            "trr",
            bare=True,
            amount=amount,
            currency=transfer["currency"],
            destination_payment_refund=None,
            metadata={},
            source_refund=None,
            transfer=id,
        )
        self.noted(made, params)
        made["balance_transaction"] = self.moved("transfer_refund", amount, made["id"])["id"]
        self.connected_change(transfer["destination"], -amount)
        transfer["amount_reversed"] += amount
        transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
        self.emit("transfer.reversed", transfer)
        return made

    @route("GET /v1/transfers/{id}/reversals")
    def reversal_list(self, params: Params, id: str) -> Object:  # noqa: A002
        self.get("transfer", id)
        mine = [each for each in self.all("transfer_reversal") if each["transfer"] == id]
        return self.page(mine, params, f"/v1/transfers/{id}/reversals")

    @route("GET /v1/transfers/{transfer}/reversals/{id}")
    def reversal_retrieve(self, params: Params, transfer: str, id: str) -> Object:  # noqa: A002
        self.get("transfer", transfer)
        found = self.get("transfer_reversal", id)
        if found["transfer"] != transfer:
            raise no_such("transfer_reversal", id)
        return found

    def transfer_reversed(self, transfer: str, amount: int | None = None) -> str:
        """The operator takes a transfer (or a part) back in the dashboard."""
        with self.lock:
            self.tick()
            return str(self.reversal_create({} if amount is None else {"amount": amount}, transfer)["id"])

    # Payouts to banks

    def bank_payout(
        self, account: str, amount: int | None = None, *, fails: str | None = None, ends: bool = True
    ) -> str:
        """An account pays its balance out to its bank; ``fails``: the bank's reason; ``ends`` False: on its way."""
        with self.lock:
            self.tick()
            amount = self.connected_balance(account) if amount is None else amount
            assert 0 < amount <= self.connected_balance(account), (amount, self.connected_balance(account))
            made = self.payout_object(amount, account=account, automatic=True)
            self.connected_change(account, -amount)
            made["status"] = "in_transit"
            self.emit("payout.updated", made, before={"status": "pending"}, account=account)
            if fails is not None:
                self.bank_payout_fails(made["id"], fails)
            elif ends:
                self.bank_payout_arrives(made["id"])
            return str(made["id"])

    def bank_payout_arrives(self, payout: str) -> None:
        """The bank has it."""
        with self.lock:
            self.tick()
            made = self.objects[payout]
            made["status"] = "paid"
            self.emit("payout.paid", made, account=self.home[payout])

    def bank_payout_fails(self, payout: str, reason: str = "account_closed") -> None:
        """The bank sends it back (also after it was said to be paid): the account has it again."""
        with self.lock:
            self.tick()
            made = self.objects[payout]
            account = self.home[payout]
            made |= {
                "status": "failed",
                "failure_code": reason,
                "failure_message": _BANK.get(reason, "The bank refused."),
            }
            self.connected_change(account, made["amount"])
            self.emit("payout.failed", made, account=account)
