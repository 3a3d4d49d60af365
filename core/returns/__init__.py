"""Money that goes back to patrons: refunds, disputes, and what early fraud warnings set off."""
