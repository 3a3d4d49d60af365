"""What `flattr doctor` finds: in the hub, at the networks, and what there is to set up."""
