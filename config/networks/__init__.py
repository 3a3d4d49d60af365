"""The networks that this hub is on: which, by which set-up, and what runs for each."""
