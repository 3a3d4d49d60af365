"""The hub on Facebook: its mouth on Messenger, and what is done for the connected Pages."""
