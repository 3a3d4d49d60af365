"""The parts of the hub's one outgoing HTTP client: pace, patience, what is forbidden, what is hidden."""
