"""The books check themselves: queries that must return nothing (money.md, "The ledger")."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session

from core.months import dues


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that does not hold, and the rows that show it (at most ten)."""

    rule: str
    rows: tuple[tuple[object, ...], ...]

    def __str__(self) -> str:
        return f"{self.rule}: " + "; ".join(", ".join(map(str, row)) for row in self.rows)


RULES: dict[str, str] = {
    "every patron's clearing account returns to zero": """
        select (account - 2) / 8, sum(micros)
          from (select credit as account, amount_micros as micros from posting where credit % 8 = 2
                union all select debit, -amount_micros from posting where debit % 8 = 2) movements
         group by account having sum(micros) <> 0""",
    "nobody is charged more than their budget": """
        select id, patron_id, month, charge_micros, budget_micros from statement where charge_micros > budget_micros""",
    "a patron's charges of a month, all together, stay within the budget of that month": """
        select s.patron_id, s.month, sum(p.amount_micros), max(s.budget_micros)
          from statement s join posting p on p.kind = 'charge' and p.source = 'statement:' || s.id
         group by s.patron_id, s.month having sum(p.amount_micros) > max(s.budget_micros)""",
    "cost + fee + shares = charge": """
        select s.id, s.charge_micros, s.cost_micros, s.fee_micros, sum(coalesce(h.micros, 0)), count(h.flattr_id)
          from statement s left join share h on h.statement_id = s.id
         where s.state in ('due', 'collected', 'lapsed')
         group by s.id, s.charge_micros, s.cost_micros, s.fee_micros, s.flattrs
        having s.charge_micros <> s.cost_micros + s.fee_micros + sum(coalesce(h.micros, 0))
            or count(h.flattr_id) <> s.flattrs""",
    "every share is the statement's share, or one micro more": """
        select h.flattr_id, h.micros, s.share_micros from share h join statement s on s.id = h.statement_id
         where h.micros not in (s.share_micros, s.share_micros + 1)""",
    "nothing is shared of a flattr that is held": """
        select h.flattr_id, h.statement_id from share h join flattr f on f.id = h.flattr_id where f.held""",
    "the fee is at most the configured part of the charge, and nothing is shared of a void statement": """
        select s.id, s.charge_micros from statement s
         where s.charge_micros < 0 or s.fee_micros < 0 or s.cost_micros < 0
            or (s.state = 'void' and exists (select 1 from posting p
                 where p.kind = 'charge' and p.source = 'statement:' || s.id))""",
    "what is collected is posted, and only that": """
        select s.id, s.state, s.charge_micros, p.amount_micros
          from statement s left join posting p on p.kind = 'charge' and p.source = 'statement:' || s.id
         where (s.state = 'collected') <> (p.id is not null) or p.amount_micros <> s.charge_micros""",
    "every share of a collected statement is posted to its creator, and no other": """
        select h.flattr_id, h.creator_id, h.micros, s.state, p.amount_micros
          from share h join statement s on s.id = h.statement_id
          left join posting p on p.kind = 'share' and p.source = 'flattr:' || h.flattr_id
         where (s.state = 'collected' and h.micros > 0) <> (p.id is not null)
            or p.amount_micros <> h.micros or p.credit <> 8 * h.creator_id + 3
            or p.debit <> 8 * s.patron_id + 2""",
    "a share belongs to a flattr of its statement's patron and month, and to the creator who was payable for it": """
        select h.flattr_id, h.statement_id, h.creator_id
          from share h
          left join statement s on s.id = h.statement_id
          left join flattr f on f.id = h.flattr_id and f.patron_id = s.patron_id and f.month = s.month
          left join payable p on p.month = f.month and p.account_id = f.author_id and p.creator_id = h.creator_id
         where p.account_id is null""",
    "no share is posted that was not fixed at closing": """
        select p.source from posting p
          left join share h on h.flattr_id = cast(substr(p.source, 8) as bigint)
         where p.kind = 'share' and h.flattr_id is null""",
    "a statement is collected at most once": """
        select statement_id, count(*) from charge where state = 'collected'
         group by statement_id having count(*) > 1""",
    "no creator owes the hub anything": """
        select (account - 3) / 8, sum(micros)
          from (select credit as account, amount_micros as micros from posting where credit % 8 = 3
                union all select debit, -amount_micros from posting where debit % 8 = 3) movements
         group by account having sum(micros) < 0""",
    "no more is paid out than was collected": """
        select collected, paid from
          (select (select coalesce(sum(amount_micros), 0) from posting where kind = 'charge') as collected,
                  (select coalesce(sum(case kind when 'sent' then amount_micros else -amount_micros end), 0)
                     from posting where kind in ('sent', 'sent_back')) as paid) sums
         where paid > collected""",
    "each payout is reserved in full, and due again if it was refused": """
        select y.id, y.state, y.amount_micros, r.micros, b.micros
          from payout y
          left join (select rtrim(rtrim(source, '0123456789'), ':') as which, sum(amount_micros) as micros
                       from posting where kind = 'payout' group by 1) r on r.which = 'payout:' || y.id
          left join (select rtrim(rtrim(source, '0123456789'), ':') as which, sum(amount_micros) as micros
                       from posting where kind = 'payout_back' group by 1) b on b.which = 'payout:' || y.id
         where coalesce(r.micros, 0) <> y.amount_micros
            or coalesce(b.micros, 0) <> case y.state when 'refused' then y.amount_micros else 0 end""",
    "each payout is sent at most once": """
        select y.id, y.state, y.amount_micros, t.amount_micros
          from payout y left join posting t on t.kind = 'sent' and t.source = 'payout:' || y.id
         where (y.state in ('sent', 'reversed')) <> (t.id is not null) or t.amount_micros <> y.amount_micros""",
    "no more of a creator's payouts came back than was sent, and all of those that were reversed": """
        select (account - 3) / 8, sum(sent), sum(reversed), sum(back)
          from (select 8 * creator_id + 3 as account, amount_micros as sent,
                       case state when 'reversed' then amount_micros else 0 end as reversed, 0 as back
                  from payout where state in ('sent', 'reversed')
                union all select credit, 0, 0, amount_micros from posting where kind = 'sent_back') payouts
         group by account having sum(back) > sum(sent) or sum(back) < sum(reversed)""",
    "transit holds just the payouts under way": """
        select held, asked from
          (select (select coalesce(sum(amount_micros), 0) from posting where credit = 4)
                - (select coalesce(sum(amount_micros), 0) from posting where debit = 4) as held,
                  (select coalesce(sum(amount_micros), 0) from payout where state = 'asked') as asked) sums
         where held <> asked""",
    "a flattr of an open month stands while a counting like does": """
        select f.id, f.month, f.standing
          from flattr f join month m on m.id = f.month
         where m.stage in ('open', 'review') and f.origin <> 'subscription' and f.moved_to_id is null
           and f.standing <> exists (select 1 from likes l
                where l.flattr_id = f.id and l.standing and l.uncounted is null)
           and not exists (select 1 from statement s
                where s.patron_id = f.patron_id and s.month = f.month and s.state <> 'review')""",
    "a like that counts, counts for its own patron's flattr": """
        select l.id, l.flattr_id from likes l join flattr f on f.id = l.flattr_id where f.thing_id <> l.thing_id""",
    "nobody is paid for what they flattred themselves": """
        select h.flattr_id, h.creator_id from share h join statement s on s.id = h.statement_id
         where h.creator_id = s.patron_id""",
    "a pending flattr that moved is not paid where it came from": """
        select f.id, f.moved_to_id from flattr f join share h on h.flattr_id = f.id where f.moved_to_id is not null""",
    "a settled month has nothing left to collect": """
        select m.id, s.id, s.state from month m join statement s on s.month = m.id
         where (m.stage = 'settled' and s.state in ('review', 'due')) or (m.stage = 'open')
            or (m.stage in ('closed', 'collecting') and s.state = 'review')""",
    "only what is due can be given up": """
        select id, state, ends_as from statement
         where ends_as is not null and (ends_as not in ('lapsed', 'void') or state <> 'due')""",
    "no more goes back of a statement than was charged, and no more is given again than was taken": f"""
        select m.family, m.number, m.micros, s.charge_micros
          from (select replace(replace(kind, '_again', ''), '_back', '') as family, {dues.FLATTR} as number,
                       sum(case when kind like '%_again' then -amount_micros else amount_micros end) as micros
                  from posting
                 where kind in ('charge_back', 'charge_again', 'share_back', 'share_again',
                                'fee_back', 'fee_again', 'loss', 'loss_again')
                 group by 1, 2) m
          left join statement s on m.family = 'charge' and s.id = m.number
         where m.micros < 0 or (m.family = 'charge' and (s.id is null or m.micros > s.charge_micros))""",  # noqa: S608 - made of the package's constants
    "no more is taken of a share than there is of it": f"""
        select b.flattr_id, b.micros, h.micros from ({dues.BACK}) b left join share h on h.flattr_id = b.flattr_id
         where h.flattr_id is null or b.micros < 0 or b.micros > h.micros""",  # noqa: S608 - as above
    "a refund that was sent took its money, and one that failed gave it again": """
        select r.id, r.state, r.amount_micros
          from refund r
          left join posting b on b.kind = 'charge_back' and b.source = r.reference || '/statement:' || statement_id
          left join posting o on o.kind = 'loss' and o.source = r.reference || '/over/statement:' || statement_id
          left join posting a on a.kind = 'charge_again' and a.source = r.reference || '/statement:' || statement_id
          left join posting w on w.kind = 'loss_again' and w.source = r.reference || '/over/statement:' || statement_id
         where coalesce(b.amount_micros, 0) + coalesce(o.amount_micros, 0)
               <> case when r.state in ('sent', 'failed') then r.amount_micros else 0 end
            or coalesce(a.amount_micros, 0) + coalesce(w.amount_micros, 0)
               <> case when r.state = 'failed' then r.amount_micros else 0 end""",
    "the books have just what each dispute took": """
        select d.reference, d.taken_micros, m.micros
          from dispute d
          left join (select rtrim(rtrim(rtrim(source, '0123456789'), ':/statementover'), '0123456789') as which,
                            sum(case when kind like '%_again' then -amount_micros else amount_micros end) as micros
                       from posting
                      where kind in ('charge_back', 'charge_again')
                         or (kind in ('loss', 'loss_again') and source like '%/over/statement:%')
                      group by 1) m on m.which = d.reference || '#'
         where d.taken_micros <> coalesce(m.micros, 0)""",
    "what is under a hold was not paid out": f"""
        select (account - 3) / 8, sum(micros), sum(withheld)
          from (select credit as account, amount_micros as micros, 0 as withheld from posting where credit % 8 = 3
                union all select debit, -amount_micros, 0 from posting where debit % 8 = 3
                union all select account, 0, -micros from ({dues.UNDER_HOLDS}) w) movements
         group by account having sum(withheld) > 0 and sum(micros) < sum(withheld)""",  # noqa: S608 - as above
}
"""What must be true, and the query whose rows are the exceptions."""


def broken(tx: Session) -> list[Violation]:
    """The rules that do not hold; empty for clean books."""
    found = []
    for rule, query in RULES.items():
        rows = tx.execute(sa.text(query)).fetchmany(10)
        if rows:
            found.append(Violation(rule=rule, rows=tuple(tuple(row) for row in rows)))
    return found
