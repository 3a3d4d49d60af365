"""Money in and money out: the protocol that a payment processor must speak, and the pretend one."""
