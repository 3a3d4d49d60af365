"""Subcommand that computes what the processor's prices leave."""

from __future__ import annotations

from decimal import Decimal

import click

from config.commands import show
from config.commands.desk import Desk, json_option
from config.payments import tariff as prices
from core.money import show as sum_of


@click.command(
    short_help="What the processor's prices leave of budgets and payouts.",
    epilog="""\b
Examples:
  flattr tariff                                  under the prices in the settings
  flattr tariff --percent 2.9 --fixed 0.30       under others
""",
)
@click.option(
    "--percent", type=click.FloatRange(0, 100), help="The card tariff's percentage; default: money.cost_percent."
)
@click.option("--fixed", type=click.FloatRange(0), help="Its fixed part; default: money.cost_fixed.")
@json_option
@click.pass_obj
def tariff(desk: Desk, *, percent: float | None, fixed: float | None, as_json: bool) -> None:
    """Compute what budgets of 2, 4.50, 10 and 35 leave, and from where on the hub's fee covers its costs."""
    parts = desk.parts
    rules = prices.with_card(
        parts.rules, None if percent is None else Decimal(str(percent)), None if fixed is None else Decimal(str(fixed))
    )
    money, connect = rules.money, prices.tariff_of(parts.settings)
    lines = [
        prices.line(rules, prices.rounded(each, rules), borne=borne)
        for borne in (False, True)
        for each in prices.EXAMPLES
    ]
    budget, payout = prices.smallest_budget(rules), prices.smallest_payout(rules, connect)
    if as_json:
        show.put(
            {
                "currency": money.code,
                "card": {"percent": rules.cost_bp / 100, "fixed_micros": rules.cost_fixed_micros},
                "lines": lines,
                "smallest_budget_micros": budget,
                "smallest_payout_micros": payout,
                "connect": connect,
            }
        )
        return
    head = [f"{each} ({money.code})" for each in ("budget", "card", "fee", "creators", "left to the hub")]
    show.print_table(
        f"Card tariff {rules.cost_bp / 100:g} % + {sum_of(rules.cost_fixed_micros, money)}",
        [*head, "card borne by"],
        [
            (
                *(
                    show.amount(each, money)
                    for each in (
                        row.budget_micros,
                        row.card_micros,
                        row.fee_micros,
                        row.creators_micros,
                        row.hub_micros,
                    )
                ),
                "patron" if row.borne else "hub",
            )
            for row in lines
        ],
        right=head,
    )
    show.say(
        f"The fee covers the card from {sum_of(budget, money)} a month."
        if budget is not None
        else "The fee never covers the card under this tariff."
    )
    cost = sum_of(connect.of(rules.payout_min_micros), money)
    show.say(
        f"A payout of {sum_of(rules.payout_min_micros, money)} costs {cost}; the fee covers payouts from"
        f" {sum_of(payout, money)} on."
        if payout is not None
        else f"A payout of {sum_of(rules.payout_min_micros, money)} costs {cost}; the fee never covers payouts."
    )


COMMANDS = (tariff,)
