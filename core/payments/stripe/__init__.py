"""Stripe behind the hub's payment protocols; only `client` knows the library."""
