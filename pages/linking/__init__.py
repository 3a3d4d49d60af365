"""The pages on which people sign in at a platform to link their account there."""
