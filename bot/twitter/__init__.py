"""The hub on X: its letters, its mentions, and the subscriptions by which X tells it what members do."""
