"""The socket that the hub listens on: taken before anything else, so that a busy port is said at once."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from config.complaints import Misconfigured
from config.settings import Settings

_ENVIRONMENT = "FLATTR__HUB__PORT"


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket and the settings with the port that it really has."""

    socket: socket.socket
    settings: Settings


def listen(settings: Settings) -> Listener:
    """Take the address; Misconfigured names the setting that helps."""
    hub = settings.hub
    family = socket.AF_INET6 if ":" in hub.host else socket.AF_INET
    try:
        taken = socket.create_server((hub.host, hub.port), family=family, backlog=1024)
    except OSError as error:
        raise Misconfigured(_reason(error, hub.host, hub.port)) from None
    port = taken.getsockname()[1]
    return Listener(taken, settings.model_copy(update={"hub": hub.model_copy(update={"port": port})}))


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use; stop the other program (perhaps another hub), or choose another port"
            f" with hub.port or {_ENVIRONMENT}"
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than the hub should have; set hub.port to 1024 or more, or use a proxy"
    return f"cannot listen on {host}: {error.strerror or error}; set hub.host to an address of this machine"
