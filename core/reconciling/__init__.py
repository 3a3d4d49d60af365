"""Holds the hub's postings against the processor's own account: every line matched, costs posted, differences named."""
