"""The settings, the composition root that joins the real parts, and the `flattr` command."""
