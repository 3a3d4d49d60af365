"""Voids the flattrs between two people with one card: the same payment instrument on both sides moves no money."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from core.people import audit
from core.periods import month_name

SAME_CARD = "same_card"
"""Why such a flattr is void."""

# An unknown fingerprint is null and equals nothing. People of one person are left to the verdict "own".
_VOID = f"""
update flattr set voided = '{SAME_CARD}'
 where id in (
  select f.id
    from {{patrons}}
   cross join card c
   cross join person u
   cross join person v
   cross join account a
   cross join flattr f
   where {{which}} and c.fingerprint = k.fingerprint and c.person_id <> k.person_id
     and u.id = k.person_id and v.id = c.person_id
     and coalesce(u.merged_into_id, u.id) <> coalesce(v.merged_into_id, v.id)
     and a.person_id = c.person_id and f.author_id = a.id and f.month = :month and f.patron_id = k.person_id
     and f.voided is null and f.moved_to_id is null)
"""  # noqa: S608 - made of this module's constants

_OF_MONTH = _VOID.format(
    patrons="(select fingerprint from card where fingerprint is not null group by fingerprint having count(*) > 1) t"
    " cross join card k",
    which="k.fingerprint = t.fingerprint",
)

_OF_STATEMENTS = _VOID.format(
    patrons="statement s cross join card k",
    which="s.month = :month and s.id between :first and :last and s.state = 'review' and k.person_id = s.patron_id",
)


def void(tx: Session, month: int, at: datetime, *, statements: tuple[int, int] | None = None) -> int:
    """Void what patrons flattred of a creator who pays with the same card; how many flattrs.

    Of the whole month, or of the patrons of a range of statements under review. The operator finds it in the log.
    """
    first, last = statements or (0, 0)
    query = _OF_STATEMENTS if statements else _OF_MONTH
    bound = {"month": month} if statements is None else {"month": month, "first": first, "last": last}
    voided: int = tx.connection().execute(sa.text(query), bound).rowcount
    if voided:
        audit.note(
            tx,
            at,
            "hub",
            "void",
            f"{voided} flattrs of {month_name(month)}: their patrons and creators pay with the same card",
        )
    return voided
