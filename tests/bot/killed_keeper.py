"""A process that refreshes one access and is killed on the way: DATABASE KEY TOKENS TIME STEP."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bot.access import AccessKeeper, Signed
from connectors.base import Asker
from core.database import Database
from core.mail.sealing import Seal
from tests.bot.token_book import ADA, TokenBook

KILLED = 9


def main() -> None:
    database, key, tokens, time, step = sys.argv[1:]
    book = TokenBook(Path(tokens))
    if step in ("before", "after"):
        setattr(book, step, lambda: os._exit(KILLED))
    now = datetime.fromisoformat(time)
    keeper = AccessKeeper(
        db=Database(database),
        seal=Seal([key.encode()]),
        platforms={"lake": Signed(connector=book, asker=Asker(client=None, clock=lambda: now))},
        clock=lambda: now,
        holder="killed",
    )
    asyncio.run(keeper.grant(ADA))
    os._exit(KILLED)


main()
