"""A real month of two hundred patrons, with every trouble that cards, banks, networks and Stripe make, for a seed.

By default for one seed; ``MONTHS=50`` plays fifty (`make months`). The same seed is the same month.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.config.real_months import playing
from tests.config.real_months_money import Story

MONTHS = int(os.environ.get("MONTHS", "1"))


@pytest.mark.parametrize("seed", range(MONTHS))
async def test_in_a_real_month_everybody_gets_what_is_theirs(
    seed: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    print(f"seed {seed}")  # shown where it fails
    async with playing(tmp_path, seed) as month:
        story = Story(month)
        await story.people_come()
        await story.the_month_passes()
        await story.it_is_reviewed_and_closed()
        await story.cards_are_charged()
        await story.money_goes_back()
        await story.creators_are_paid()
        await story.money_goes_back_late()
        await story.all_is_proved()
        # For `--junitxml`: what it was.
        record_property("requests", len(month.stripe.requests))
        record_property("troubled", len(month.stripe.troubles.suffered))
        record_property("events", dict(month.events_seen))
