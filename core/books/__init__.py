"""The double-entry ledger, and the queries by which the books check themselves."""
