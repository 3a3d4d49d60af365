"""What people look at: server-rendered pages, first of all the pretend networks."""
