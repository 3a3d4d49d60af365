"""Reads the likes of linked accounts from the platforms that list them."""
