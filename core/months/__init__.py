"""The month: from open to settled, its statements and shares, and the payout runs across months."""
