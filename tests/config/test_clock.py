"""The sandbox may skip time; real books may not."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config import clock
from config.clock import SandboxClock
from config.complaints import Misconfigured

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


def _clock(tmp_path: Path) -> SandboxClock:
    return SandboxClock(tmp_path / "clock.json", source=lambda: NOW)


def test_a_jump_outlives_the_process(tmp_path: Path) -> None:
    _clock(tmp_path).jump_to(NOW + timedelta(days=20))
    assert _clock(tmp_path)() == NOW + timedelta(days=20)


def test_a_jump_is_seen_by_another_process_at_once(tmp_path: Path) -> None:
    one, other = _clock(tmp_path), _clock(tmp_path)
    assert other() == NOW
    one.jump_to(NOW + timedelta(days=1))
    assert other() == one() == NOW + timedelta(days=1)
    other.jump_to(NOW + timedelta(days=2))
    assert one() == NOW + timedelta(days=2)


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    skipping = _clock(tmp_path)
    skipping.jump_to(NOW + timedelta(days=5))
    skipping.jump_to(NOW)
    assert skipping() == NOW + timedelta(days=5)


def test_skipped_time_does_not_get_into_real_books(tmp_path: Path) -> None:
    _clock(tmp_path).jump_to(NOW + timedelta(days=5))
    assert isinstance(clock.choose(tmp_path, sandbox=True), SandboxClock)
    with pytest.raises(Misconfigured, match=r"use a fresh hub.data_dir and database"):
        clock.choose(tmp_path, sandbox=False)


def test_where_stripe_moves_the_test_money_time_cannot_be_skipped(tmp_path: Path) -> None:
    assert clock.choose(tmp_path, sandbox=True, follows=True) is clock.real
    _clock(tmp_path).jump_to(NOW + timedelta(days=5))
    with pytest.raises(Misconfigured, match=r"Stripe's cannot be skipped; use a fresh hub.data_dir"):
        clock.choose(tmp_path, sandbox=True, follows=True)


def test_without_the_sandbox_time_is_real(tmp_path: Path) -> None:
    assert clock.choose(tmp_path, sandbox=False) is clock.real
    assert clock.real().tzinfo is UTC


def test_two_jumps_within_one_tick_of_the_disk_s_clock_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    here, there = (SandboxClock(path, source=lambda: NOW) for _ in range(2))
    for days in (1, 2):
        here.jump_to(NOW + timedelta(days=days))
        os.utime(path, ns=(0, 0))
        assert there() == here() == NOW + timedelta(days=days)
