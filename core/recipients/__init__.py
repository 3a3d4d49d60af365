"""Creators as the payment processor knows them: their accounts there, and whether money can be sent."""
