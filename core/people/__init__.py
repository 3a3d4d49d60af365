"""People: persons and their accounts, budgets, links, claims, what they asked for, and how they leave."""
