"""How a message is understood: its words, their spelling, what follows a command, what was said."""
