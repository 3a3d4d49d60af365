"""The pretend networks Square and Harbour: their people, their memory, the page on which they are played."""
