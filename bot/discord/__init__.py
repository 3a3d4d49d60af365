"""The hub on Discord: its connection, what it hears there, its commands and buttons, its mouth."""
