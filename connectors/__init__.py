"""What platforms say, in the hub's words: one file a platform, found through the entry-point group."""
