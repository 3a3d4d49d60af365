"""Lets pending flattrs count when their creator joins (money.md, "Creators who are not here yet").

Those of the open month count by themselves, since who can be paid is judged when its review starts. At most
five older ones per patron and creator are moved into the open month, as new rows of origin ``claimed``. Only while
their like stands: a like taken back before the claim is worth no more than one taken back the day after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session

from core.database import to_micros
from core.mail import outbox
from core.months import stages
from core.people import persons, preferences
from core.people.tables import Account
from core.rules import Rules
from core.tables import Flattr, Like

# A month under review takes no claims: what was not payable when its review began counts as older.
_PENDING = f"""
  from flattr f
  join account o on o.id = f.author_id
  join person p on p.id = f.patron_id
  join person r on r.id = coalesce(p.merged_into_id, p.id) and r.left_at is null
 where f.author_id = :account and f.standing and not f.held and f.struck_at is null and f.voided is null
   and f.moved_to_id is null
   and not exists (select 1 from share h where h.flattr_id = f.id)
   and not exists (select 1 from payable y where y.month = f.month and y.account_id = f.author_id)
   and (o.person_id is null or o.person_id <> r.id)
   and not {preferences.IGNORED.format(patron="r.id", account="o")}
"""  # noqa: S608 - made of constants

_OLDER = f"""
select f.id as id, r.id as patron_id, f.thing_id as thing_id, f.created_at as created_at
{_PENDING}
   and f.origin <> 'subscription' and f.created_at > :since
   and exists (select 1 from month m where m.id = f.month and m.stage <> 'open')
   and exists (select 1 from likes l where l.flattr_id = f.id and l.standing and l.uncounted is null)
   and not exists (select 1 from flattr g
                    where g.month = :month and g.patron_id = r.id and g.thing_id = f.thing_id)
 order by f.created_at desc, f.id desc
"""  # noqa: S608 - made of constants

_OPEN = f"""
select r.id as patron_id, count(*) as flattrs
{_PENDING}
   and exists (select 1 from month m where m.id = f.month and m.stage = 'open')
 group by r.id
"""  # noqa: S608

# Moved before, for this creator's other accounts too, and not pending once more.
_MOVED = """
select coalesce(p.merged_into_id, p.id) as patron_id, count(*) as flattrs
  from flattr f
  join person p on p.id = f.patron_id
  join account a on a.id = f.author_id
 where f.origin = 'claimed' and f.moved_to_id is null and f.created_at > :since
   and (a.id = :account or a.person_id = :creator)
   and (exists (select 1 from month m where m.id = f.month and m.stage = 'open')
        or exists (select 1 from share h where h.flattr_id = f.id)
        or exists (select 1 from payable y where y.month = f.month and y.account_id = f.author_id))
 group by coalesce(p.merged_into_id, p.id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joinable:
    """What counts, or would, once the creator behind an account receives."""

    open_by_patron: dict[int, int]
    """How many pending flattrs of the open month each patron has."""
    older: Sequence[tuple[int, int, int, int]]
    """The older ones that may be moved: id, patron, thing, when it was made (microseconds)."""

    @property
    def flattrs(self) -> int:
        """How many flattrs count altogether."""
        return sum(self.open_by_patron.values()) + len(self.older)

    @property
    def patrons(self) -> list[int]:
        """Whose they are."""
        return sorted({*self.open_by_patron, *(patron for _, patron, _, _ in self.older)})


def joinable(tx: Session, rules: Rules, account: Account, month: int, at: datetime) -> Joinable:
    """What is pending for an account: the open ``month``'s, and older ones that may join it, newest first."""
    values = {
        "account": persons.key(account),
        "creator": account.person_id,
        "month": month,
        "since": to_micros(at - timedelta(days=rules.pending_days)),
    }
    tx.flush()
    run = tx.connection().execute
    names = {name: value for name, value in values.items() if name in ("account", "creator", "since")}
    moved: Counter[int] = Counter({row.patron_id: row.flattrs for row in run(sa.text(_MOVED), names)})
    opened = {row.patron_id: row.flattrs for row in run(sa.text(_OPEN), {"account": values["account"]})}
    older, seen = [], set()
    wanted = {name: values[name] for name in ("account", "since", "month")}
    for flattr_id, patron_id, thing_id, created in run(sa.text(_OLDER), wanted):
        if moved[patron_id] >= rules.pending_per_creator or (patron_id, thing_id) in seen:
            continue
        moved[patron_id] += 1
        seen.add((patron_id, thing_id))
        older.append((flattr_id, patron_id, thing_id, created))
    return Joinable(open_by_patron=opened, older=older)


def join(tx: Session, rules: Rules, account: Account, at: datetime) -> Joinable:
    """Let what is pending for an account whose creator can now be paid count in the open month.

    Each patron concerned gets one note (kind ``claimed``) and can strike them out. Again: nothing more
    happens, since what was moved counts towards the five.
    """
    month = stages.month_taking(tx, at, at)
    found = joinable(tx, rules, account, month, at)
    if found.older:
        _move(tx, persons.key(account), month, found.older)
    for patron_id in found.patrons:
        source = f"claim:{account.id}:{patron_id}:{month}"
        outbox.put(tx, kind="claimed", source=source, at=at, person_id=patron_id)
    return found


def _move(tx: Session, account_id: int, month: int, older: Sequence[tuple[int, int, int, int]]) -> None:
    """New rows in the open month; the old ones point to them, and their likes withdraw them from now on."""
    run = tx.connection().execute
    # The time stays that of the like: the 90 days are counted from it, should this one be pending again.
    run(
        sa.text(
            "insert into flattr (patron_id, thing_id, month, author_id, standing, origin, created_at)"
            " values (:patron, :thing, :month, :account, true, 'claimed', :created)"
        ),
        [
            {"patron": patron, "thing": thing, "month": month, "account": account_id, "created": created}
            for _, patron, thing, created in older
        ],
    )
    fresh = {
        (row.patron_id, row.thing_id): row.id
        for row in run(
            sa.text(
                "select id, patron_id, thing_id from flattr"
                " where month = :month and author_id = :account and origin = 'claimed'"
            ),
            {"month": month, "account": account_id},
        )
    }
    pairs = [{"old": old, "new": fresh[patron, thing]} for old, patron, thing, _ in older]
    run(sa.text("update flattr set moved_to_id = :new where id = :old"), pairs)
    run(sa.text("update likes set flattr_id = :new where flattr_id = :old"), pairs)
    moved = {pair["old"] for pair in pairs}
    for row in list(tx.identity_map.values()):  # what this transaction has read before is out of date
        if (isinstance(row, Flattr) and row.id in moved) or (isinstance(row, Like) and row.flattr_id in moved):
            tx.refresh(row)


def void_pending(tx: Session, account_id: int, reason: str) -> int:
    """Void what is pending for an account, for good; how many flattrs. What was judged payable is not."""
    result = tx.connection().execute(
        sa.text(
            "update flattr set voided = :reason"
            " where author_id = :account and voided is null and moved_to_id is null"
            " and not exists (select 1 from share h where h.flattr_id = flattr.id)"
            " and not exists (select 1 from payable y"
            "                  where y.month = flattr.month and y.account_id = flattr.author_id)"
        ),
        {"reason": reason, "account": account_id},
    )
    return result.rowcount
