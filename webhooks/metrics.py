"""The hub's figures for Prometheus, in a registry of their own."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlmodel import Session, SQLModel, col

from core.database import Database
from core.errands import keeping
from core.holds.tables import Hold
from core.listings.state import figures
from core.mail import inbox, outbox
from core.reconciling import last
from core.returns.tables import Dispute


class Metrics:
    """Counters that the running parts raise, and gauges that are read from the database when asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "flattr_deliveries",
            "Deliveries by platform and outcome",
            ("platform", "outcome"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "flattr_delivery_seconds",
            "Time from a delivery's arrival to its answer",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
            registry=self.registry,
        )
        self.batch = Histogram(
            "flattr_inbox_batch",
            "Deliveries that shared one commit",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            registry=self.registry,
        )
        self.events = Counter(
            "flattr_events",
            "Events recorded, by platform and what became of them",
            ("platform", "result"),
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "flattr_dead_letters",
            "Deliveries that could not be translated or recorded",
            ("platform",),
            registry=self.registry,
        )
        self.lag = Gauge(
            "flattr_inbox_lag_seconds",
            "How long the delivery handled last had waited",
            registry=self.registry,
        )
        self.inbox = Gauge("flattr_inbox", "Deliveries in the inbox by state", ("state",), registry=self.registry)
        self.unaccounted = Gauge(
            "flattr_inbox_unaccounted",
            "Deliveries stored that are neither waiting, done nor dead; anything but 0 is a bug",
            registry=self.registry,
        )
        self.outbox = Gauge("flattr_outbox", "Notes in the outbox by state", ("state",), registry=self.registry)
        self.read = Gauge(
            "flattr_read_accounts",
            "Accounts whose likes are read, by platform: all, due by now, failing",
            ("platform", "state"),
            registry=self.registry,
        )
        self.read_age = Gauge(
            "flattr_read_age_seconds",
            "How long ago the account was read that has waited longest, by platform",
            ("platform",),
            registry=self.registry,
        )
        self.differences = Gauge(
            "flattr_reconciliation_differences",
            "What the last reconciliation found on one side only; anything but 0 wants a look",
            registry=self.registry,
        )
        self.reconciled = Gauge(
            "flattr_reconciled_age_seconds",
            "How long ago the last finished reconciliation began; NaN: there was none",
            registry=self.registry,
        )
        self.errands = Gauge(
            "flattr_errands",
            "Errands to the payment processor by state; failed ones want a look",
            ("state",),
            registry=self.registry,
        )
        self.holds = Gauge("flattr_holds", "Payments that wait for the operator's word", registry=self.registry)
        self.disputes = Gauge("flattr_disputes", "Disputes that are not closed", registry=self.registry)
        self.pretend = Gauge(
            "flattr_payments_pretend", "1 while no real money moves, 0 when it does", registry=self.registry
        )

    def measure(self, db: Database, at: datetime) -> bytes:
        """All figures in Prometheus' text format, with the gauges read now; it asks the database."""
        with db.reading() as tx:
            letters, notes, readings = inbox.counts(tx), outbox.counts(tx), figures(tx, at)
            errands, reconciled = keeping.counts(tx), last.finished(tx)
            self.holds.set(_count(tx, Hold, col(Hold.state) == "held"))
            self.disputes.set(_count(tx, Dispute, col(Dispute.closed_at).is_(None)))
        for state in ("waiting", "failed"):
            self.errands.labels(state).set(getattr(errands, state))
        self.differences.set(reconciled.differences if reconciled else 0)
        self.reconciled.set((at - reconciled.began_at).total_seconds() if reconciled else float("nan"))
        self.read.clear()
        self.read_age.clear()
        for each in readings:
            for state, number in (("all", each.accounts), ("due", each.due), ("failing", each.failing)):
                self.read.labels(each.platform, state).set(number)
            if each.oldest_read_at is not None:
                self.read_age.labels(each.platform).set((at - each.oldest_read_at).total_seconds())
        for state in ("waiting", "done", "dead"):
            self.inbox.labels(state).set(getattr(letters, state))
        self.unaccounted.set(letters.unaccounted)
        for state in ("waiting", "sending", "sent", "failed"):
            self.outbox.labels(state).set(getattr(notes, state))
        return generate_latest(self.registry)


def _count(tx: Session, table: type[SQLModel], where: sa.ColumnElement[bool]) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(table).where(where)).scalar_one())
