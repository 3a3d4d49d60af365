"""What came in (the inbox of raw deliveries) and what the hub has to say (the outbox of notes)."""
