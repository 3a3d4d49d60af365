"""What stands on the patron's card statement beside the operator's own name."""

from __future__ import annotations

_MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
_ROOM = 10


def statement_suffix(descriptor: str, month: int) -> str:
    """What a card's statement says after the account's own name: the month, with the descriptor where it fits.

    Name, "* " and suffix have 22 characters together, of which the name may take ten; a suffix needs a letter
    (docs.stripe.com/get-started/account/statement-descriptors).
    """
    year, index = divmod(month - 1, 12)
    name = _MONTHS[3 * index : 3 * index + 3]  # not strftime's, which speaks the process's language
    long = f"{descriptor.upper()} {name}{year % 100:02}"
    return long if descriptor and len(long) <= _ROOM else f"{name} {year}"
