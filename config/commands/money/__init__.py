"""Subcommands about money: months, payments, holds, the books."""
