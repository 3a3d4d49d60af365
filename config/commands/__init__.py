"""The subcommands of `flattr`, by what they are about."""
