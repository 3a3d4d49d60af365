"""Whether a flattr counts, in one piece of SQL that the closing and the view of the open month share.

It expects the aliases f (flattr), a (account of the author, left-joined), s (any row with the patron's
``patron_id`` and ``month``), u (the patron's person row), and says one of: withdrawn, struck, moved, declined, lapsed,
left or same_card (void), held, skipped, own, ignored, pending, counts. ``{payable}`` is the condition that its creator
can be paid.
"""

from __future__ import annotations

_IGNORED = """exists (
  select 1 from ignore i join account b on b.id = i.account_id
   where i.person_id = s.patron_id and (i.account_id = f.author_id or b.person_id = a.person_id))"""
"""To ignore one account of a creator is to ignore the creator."""

VERDICT = """case
 when f.voided is not null then f.voided
 when f.moved_to_id is not null then 'moved'
 when not f.standing then 'withdrawn'
 when f.struck_at is not null then 'struck'
 when f.held then 'held'
 when f.author_id is null then 'pending'
 when f.own or a.person_id = coalesce(u.merged_into_id, u.id) then 'own'
 when {ignored} then 'ignored'
 when exists (select 1 from skip k where k.person_id = s.patron_id and k.month = s.month) then 'skipped'
 when {payable} then 'counts'
 else 'pending' end""".replace("{ignored}", _IGNORED)

COUNTING = f"""f.standing and not f.held and not f.own and f.struck_at is null
   and f.voided is null and f.moved_to_id is null
   and (a.person_id is null or a.person_id <> coalesce(u.merged_into_id, u.id))
   and p.creator_id <> coalesce(u.merged_into_id, u.id)
   and not {_IGNORED}"""
"""The verdict 'counts' as the closing asks for it, row by row in a hurry: with payable joined as p, and statements
that are skipped set aside before. A test holds the two forms together."""

PAYABLE_AT_REVIEW = (
    "exists (select 1 from payable p where p.month = f.month and p.account_id = f.author_id"
    " and p.creator_id <> coalesce(u.merged_into_id, u.id))"
)
"""As judged when the review started."""

PAYABLE_NOW = (
    "exists (select 1 from person c where c.id = a.person_id"
    " and c.receives_since is not null and c.payable_since is not null and c.left_at is null)"
)
"""As it would be judged if the review started now."""
