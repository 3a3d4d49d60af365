"""The answers, by topic: each takes one turn and what was said, changes what must change, and says so."""
