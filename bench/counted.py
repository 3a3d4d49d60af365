"""What the benchmark of reading counted, and how it is shown."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from bench.networks import START, Network
from core.database import Database, to_micros

DUE = 100
"""With so many accounts due, an unused budget is a wasted one."""


def fullest(arrivals: Sequence[float], seconds: float) -> int:
    """Requests in the fullest window of so many seconds, wherever it begins."""
    first = most = 0
    for last, at in enumerate(arrivals):
        while arrivals[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def scarce(arrivals: Sequence[float], seconds: float, due: Sequence[tuple[float, int]]) -> int | None:
    """Requests in the emptiest window throughout which accounts were due; None: there was no such window."""
    least, since = None, None
    for at, waiting in due:
        if waiting < DUE:
            since = None
            continue
        since = at if since is None else since
        if at - since >= seconds:
            found = bisect_left(arrivals, at) - bisect_left(arrivals, at - seconds)
            least = found if least is None else min(least, found)
    return least


def seen(db: Database, network: Network, given: Mapping[tuple[str, str], tuple[Any, Any]], end: Any) -> dict[str, int]:
    """What the books say beside the truth."""
    with db.reading() as tx:
        query = sa.text(
            "select a.account_id, l.fact, l.standing from likes l join account a on a.id = l.account_id"
            " where a.platform = :platform"
        )
        books = {
            (account, fact.partition(":")[2].rpartition("|")[0]): bool(standing)
            for account, fact, standing in tx.execute(query, {"platform": network.name})
        }
        oldest = tx.execute(
            sa.text("select min(read_at), sum(read_at is null), count(*) from listing where platform = :platform"),
            {"platform": network.name},
        ).one()
    gone = {key for key, (_, gone_at) in given.items() if gone_at is not None}
    return {
        "given": len(given),
        "seen": len(given.keys() & books.keys()),
        "made_up": len(books.keys() - given.keys()),
        "unlikes": len(gone & books.keys()),
        "found": sum(not books[key] for key in gone & books.keys()),
        "false_unlikes": sum(not standing and key not in gone for key, standing in books.items()),
        "oldest_minutes": round((to_micros(end) - (oldest[0] or to_micros(START))) / 60e6),
        "never_read": oldest[1],
        "accounts": oldest[2],
    }


def told_windows(arrivals: Sequence[float], seconds: float, passed: float) -> list[int]:
    """Requests in each window of the platform's own clock that has come to its end."""
    found = Counter(int(at // seconds) for at in arrivals)
    return [found[each] for each in range(int(passed // seconds))]


def show(figures: Mapping[str, Any]) -> None:
    """Print what was measured."""
    print(f"time                     {figures['scale']:g} times as fast, {figures['passed']} have passed")
    for name, each in figures["platforms"].items():
        most, seconds = each["budget"]
        least = each["least_while_due"]
        waste = "nothing was due for a whole window" if least is None else f"{least / most:.1%} in the emptiest"
        print(f"{name}: {each['accounts']} accounts, {most:,} requests in {seconds:g} s")
        exceeded = "yes" if each["fullest"] > most else "no"
        print(f"  fullest window         {each['fullest']:,} ({each['fullest'] / most:.1%}), exceeded: {exceeded}")
        print(f"  windows with work due  {waste}; {each['due_at_the_end']} due at the end")
        print(f"  readings               {each['readings']:,} with {each['asked']:,} requests")
        print(f"  oldest                 read {each['oldest_minutes']} min ago, {each['never_read']} never")
        print(f"  likes                  {each['seen']:,} seen of {each['given']:,}, {each['made_up']} made up")
        print(f"  unlikes                {each['found']} found of {each['unlikes']}, {each['false_unlikes']} false")
    print(f"peak memory (goal: 500)  {figures['memory']:.0f} MB")
    print("loop late by             p50 {:.1f} ms, p99 (goal: 50) {:.1f} ms, most {:.1f} ms".format(*figures["late"]))
    print(f"processor                {figures['cpu']:.0%} of one core")
    for what, times in sorted(figures["errors"].items(), key=lambda each: -each[1])[:20]:
        print(f"  {times:6} x {what}")
    if not figures["errors"]:
        print("errors                   none")
