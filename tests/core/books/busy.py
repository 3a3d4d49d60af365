"""A ledger with postings of every kind, straight into the books: what was sealed or exported is checked, not earned."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.books import ledger
from tests.scene import Scene

BANK = 0
ADA, MAKER = ledger.patron(1), ledger.creator(2)

EVERY_KIND = [
    ("charge", "statement:1", ledger.STRIPE, ADA, 10_000_000),
    ("cost", "statement:1", ADA, ledger.COST, 440_000),
    ("fee", "statement:1", ADA, ledger.INCOME, 956_000),
    ("share", "flattr:1", ADA, MAKER, 8_604_000),
    ("payout", "payout:1:2", MAKER, ledger.TRANSIT, 8_600_000),
    ("sent", "payout:1", ledger.TRANSIT, ledger.STRIPE, 8_600_000),
    ("payout_back", "payout:1:2", ledger.TRANSIT, MAKER, 8_600_000),
    ("sent_back", "trr_1", ledger.STRIPE, ledger.TRANSIT, 8_600_000),
    ("charge_back", "dp_1#1/statement:1", ADA, ledger.STRIPE, 10_000_000),
    ("share_back", "dp_1#1/flattr:1", MAKER, ADA, 8_604_000),
    ("fee_back", "dp_1#1/statement:1", ledger.INCOME, ADA, 956_000),
    ("loss", "dp_1#1/statement:1", ledger.LOSS, ADA, 440_000),
    ("charge_again", "dp_1#2|dp_1#1/statement:1", ledger.STRIPE, ADA, 10_000_000),
    ("share_again", "dp_1#2|dp_1#1/flattr:1", ADA, MAKER, 8_604_000),
    ("fee_again", "dp_1#2|dp_1#1/statement:1", ADA, ledger.INCOME, 956_000),
    ("loss_again", "dp_1#2|dp_1#1/statement:1", ADA, ledger.LOSS, 440_000),
    ("void", "hold:1/flattr:1", MAKER, ledger.INCOME, 4_001),
    ("cost_paid", "txn_1", ledger.COST, ledger.STRIPE, 440_000),
    ("cost_borne", "txn_1", ledger.INCOME, ledger.STRIPE, 10_001),
    ("cost_lost", "txn_1", ledger.LOSS, ledger.STRIPE, 1),
    ("cost_paid_back", "txn_2", ledger.STRIPE, ledger.COST, 70_000),
    ("withdrawn", "txn_3", BANK, ledger.STRIPE, 500_000),
    ("topped_up", "txn_4", ledger.STRIPE, BANK, 400_000),
    ("lost", "txn_5", ledger.LOSS, ledger.STRIPE, 123_456),
    ("odd", 'a "quoted" \\ source', ledger.LOSS, ledger.INCOME, 7),
]


def post_every_kind(scene: Scene) -> None:
    with scene.db.transaction() as tx:
        for minutes, (kind, source, debit, credit, micros) in enumerate(EVERY_KIND):
            assert ledger.post(
                tx,
                kind=kind,
                source=source,
                debit=debit,
                credit=credit,
                amount_micros=micros,
                at=scene.at + timedelta(minutes=minutes),
            )


def post_some(scene: Scene, first: int, last: int, at: datetime | None = None) -> None:
    """Numbered losses, to have something to seal."""
    with scene.db.transaction() as tx:
        for number in range(first, last + 1):
            ledger.post(
                tx, kind="odd", source=f"x:{number}", debit=ledger.LOSS, credit=ledger.INCOME, amount_micros=number,
                at=at or scene.at,
            )  # fmt: skip
