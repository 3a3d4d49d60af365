"""Tells the demo's story: as tables for people, as one document for programs."""

from __future__ import annotations

from dataclasses import asdict

from rich.markup import escape

from config.commands import show
from config.proof import Story
from core.money import Currency, currency
from core.periods import month_name

_KEPT = ("link", "yes", "status", "claim", "statement", "earnings")


def as_data(story: Story) -> dict[str, object]:
    """Everything, with the verdict first."""
    return {
        "right": story.right,
        "month": month_name(story.month),
        "currency": story.currency,
        "checks": [asdict(check) | {"right": check.right} for check in story.checks],
        "statements": story.statements,
        "earnings": story.earnings,
        "payouts": story.payouts,
        "books": story.balances,
        "month_end": story.steps,
        "talk": [{"who": who, "said": said, "answered": answer} for who, said, answer in story.talk],
    }


def tell(story: Story) -> None:
    """The talk, the month's end, the statements, the payouts, the books, the proof."""
    console, money = show.console(), currency(story.currency)
    console.print("\n[bold]What people and the bot said[/] (shortened)\n")
    for who, said, answer in story.talk:
        if not said or said.split()[0] in _KEPT:
            lines = [line for line in answer.splitlines() if line.strip()]
            console.print(f"  [bold]{escape(who)}:[/] {escape(said)}", soft_wrap=True)
            for line in lines[:4]:
                console.print(f"      [cyan]{escape(line)}[/]", soft_wrap=True)
            if len(lines) > 4:
                console.print(f"      [dim]... and {len(lines) - 4} more lines[/]")
    console.print("\n[bold]The month's end[/]\n")
    for step in story.steps:
        console.print(f"  {escape(step)}")
    console.print()
    for name in story.statements:
        _statement(story, name, money)
    _creators(story, money)
    head = f"credit less debit ({money.code})"
    show.print_table(
        "The books",
        ["account", head],
        [(name, show.amount(micros, money)) for name, micros in story.balances.items()],
        right=[head],
    )
    _verdict(story)


def _statement(story: Story, name: str, money: Currency) -> None:
    found = story.statements[name]
    rows = [(line.receipt, line.creator, line.url, show.amount(line.micros, money)) for line in found.shares]
    rows.append(("", "", "fee", show.amount(found.fee_micros, money)))
    if found.cost_micros:
        rows.append(("", "", "card's cost", show.amount(found.cost_micros, money)))
    word = "never collected" if found.state == "lapsed" else "charge"
    budget = show.amount(found.budget_micros, money)
    rows.append(("", "", f"{word}, of a budget of {budget}", show.amount(found.charge_micros, money)))
    rows += [("", line.creator, f"{line.url} (pending: costs nothing)", "") for line in found.pending]
    title = f"{name}'s statement of {month_name(story.month)}: {found.state}"
    sums = f"amount ({money.code})"
    show.print_table(title, ["receipt", "creator", "what", sums], rows, right=[sums], fold=["what"])


def _creators(story: Story, money: Currency) -> None:
    head = [f"{each} ({money.code})" for each in ("split", "collected", "paid", "due")]
    show.print_table(
        "What creators got",
        ["creator", "flattrs", *head, "payout run"],
        [
            (
                name,
                sum(each.flattrs for each in found.months),
                show.amount(sum(each.gross_micros for each in found.months), money),
                show.amount(sum(each.collected_micros for each in found.months), money),
                show.amount(found.paid_micros, money),
                show.amount(found.due_micros, money),
                ", ".join(each.run for each in story.payouts if each.creator == name) or "none",
            )
            for name, found in story.earnings.items()
        ],
        right=["flattrs", *head],
    )


def _verdict(story: Story) -> None:
    wrong = [check for check in story.checks if not check.right]
    for check in wrong:
        show.say(f"WRONG  {check.what}: expected {check.expected}, found {check.found}")
    if wrong:
        show.say(f"{len(wrong)} of {len(story.checks)} checks failed.")
        return
    show.say(
        f"All {len(story.checks)} checks hold: ten shares of 3.15 and a fee of 3.50 make 35.00, closing twice changed"
        " nothing, and the books are clean."
    )
