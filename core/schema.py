"""Every table of the hub in one place, for migrations and for tests that look at all of them."""

from __future__ import annotations

from sqlmodel import SQLModel

from core import tables
from core.access import tables as access
from core.books import tables as books
from core.errands import tables as errands
from core.holds import tables as holds
from core.listings import tables as listings
from core.mail import tables as mail
from core.months import tables as months
from core.payments import tables as payments
from core.people import tables as people
from core.recipients import tables as recipients
from core.reconciling import tables as reconciling
from core.returns import tables as returns

__all__ = ["metadata"]

ROOMS = (
    tables, people, access, listings, months, books, mail, payments, errands, holds, recipients, reconciling, returns,
)  # fmt: skip
"""Importing a room's tables is what makes them known."""

metadata = SQLModel.metadata
