"""What is true: events, people, flattrs, budgets, months and the ledger. Synchronous, knows nobody."""
