"""Money that waits for the operator's word: what looks like abuse (money.md, "Abuse")."""
