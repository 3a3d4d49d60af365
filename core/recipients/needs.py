"""What a processor still wants to know of a creator, in words for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORDS = (
    (r"external_account|outbound_destination|payout_method|bank", "your bank account"),
    (r"document|selfie|verification", "a picture of your identity document"),
    (r"date_of_birth|\bdob\b", "your date of birth"),
    (r"e?mail\b", "your e-mail address"),
    (r"phone", "your telephone number"),
    (r"address", "your address"),
    (r"id_number|tax_id|ssn", "your tax or identity number"),
    (r"name\b", "your name"),
    (r"terms|\btos", "your agreement to its terms"),
    (r"\burl\b|website|profile|industry|\bmcc\b|description", "what you make, and where it is found"),
    (r"representative|owner|director|executive|person", "who stands for your company"),
    (r"country|nationalit", "your country"),
)
"""Patterns of the processor's own names for what is missing, the first that fits; and what people call it."""

SOMETHING = "something more about you"


def in_words(needs: str) -> Sequence[str]:
    """Each thing once, in the order in which the processor names them; ``needs`` as in `Recipient.needs`."""
    found: dict[str, None] = {}
    for need in needs.split(","):
        if need.strip():
            found[next((words for pattern, words in _WORDS if re.search(pattern, need.lower())), SOMETHING)] = None
    return [words for words in found if words != SOMETHING or len(found) == 1]
