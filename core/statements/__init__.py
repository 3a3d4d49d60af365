"""Statements for people to keep: what a creator earned, whole years, and both as CSV and JSON."""
