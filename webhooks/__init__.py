"""Where machines call on us: deliveries come in here, are stored, and are worked off."""
