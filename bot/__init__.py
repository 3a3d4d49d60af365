"""Our presence on the networks: streams, pollers, and the conversation."""
