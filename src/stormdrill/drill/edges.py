"""The edges before a drill: each answers, and one with a certificate has one that phones would accept."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from stormdrill.errors import InputError
from stormdrill.estate import Edge

_CONNECT_S = 3.0


def reach(edge: Edge, authority: str) -> None:
    """Connect once, as a phone would. `authority` as PEM, empty for the machine's own. InputError saying why not."""
    parts = urlsplit(edge.url)
    secured = parts.scheme == "https"
    host = parts.hostname or ""
    what = f"edge {edge.name} at {edge.url}"
    try:
        with socket.create_connection(
            (host, parts.port or (443 if secured else 80)), _CONNECT_S
        ) as connection:
            if secured:
                context = ssl.create_default_context(cadata=authority or None)
                context.wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        raise InputError(
            f"{what} shows a certificate that no phone accepts: {error.verify_message}"
        ) from None
    except ssl.SSLError as error:
        raise InputError(
            f"{what} speaks no TLS, or the authority is no certificate: {error.reason or error}"
        ) from None
    except OSError as error:
        raise InputError(f"{what} cannot be reached: {error.strerror or error}") from None
