"""Likes that platforms list: whose are read when, where reading goes on, and when a missing like is an unlike."""

from core.listings.state import Figures, Health, figures, health, passed

__all__ = ["Figures", "Health", "figures", "health", "passed"]
