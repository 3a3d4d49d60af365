"""Statements behind personal addresses, and the picture of a month."""
