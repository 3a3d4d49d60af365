"""The door of the `flattr` command: Ctrl-C is quiet from here on, also while everything is still being imported."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command that was typed; ends the process with its status."""
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not so if started with nohup or by &
    if listens:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # an exception could be taken for a failed import
    from config.commands.root import flattr  # takes a second, and nothing is open yet

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    flattr()
