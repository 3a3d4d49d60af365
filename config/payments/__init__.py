"""Real money joined: which processor, what runs beside it, and what its prices leave."""
