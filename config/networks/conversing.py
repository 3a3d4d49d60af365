"""Answers people's messages for whichever network brings them: the dialogue, and its answer in the outbox."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from bot import dialogue
from bot.talk import Reply
from config.parts import Parts
from core.events import AccountRef, Messaged
from core.mail import outbox


def answer(parts: Parts, tx: Session, by: AccountRef, text: str, at: datetime) -> Reply:
    """What the bot says, and whatever it changes, in this transaction."""
    return dialogue.answer(tx, parts.talk, by, text, at)


def converse(parts: Parts, tx: Session, event: Messaged, received_at: datetime) -> None:
    """Answer a direct message: what it changes and the answer in the outbox are one transaction."""
    said = answer(parts, tx, event.by, event.text, received_at)
    outbox.put(
        tx,
        kind="answer",
        source=f"{event.by.platform}:{event.message_id}",
        at=received_at,
        to=event.by,
        text=said.text,
        buttons=[(button.label, button.text) for button in said.buttons],
        picture=said.picture,
    )
