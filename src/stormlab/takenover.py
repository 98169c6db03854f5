"""Whether the nodes have taken over their pods: what the API says of a pod is as old as the node process that said it.

A container that ended while its node process was dead is Ready in the API until the next one has looked.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
from pathlib import Path

from stormlab.estate import Estate

_TIMEOUT_S = 3.0


async def missing(estate: Estate, state: Path) -> list[str]:
    """One line for each node that has not looked at all of its pods yet; empty when all have."""
    places = {zone.name: state / "nodes" / f"{zone.name}.sock" for zone in estate.zones}
    found = await asyncio.gather(*(asyncio.to_thread(_unsettled, place) for place in places.values()))
    return [f"node {zone}: {why}" for zone, why in zip(places, found, strict=True) if why]


def _unsettled(place: Path) -> str:
    connection = http.client.HTTPConnection("node", timeout=_TIMEOUT_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(_TIMEOUT_S)
    try:
        connection.sock.connect(str(place))
        connection.request("GET", "/settled")
        answer = connection.getresponse()
        pods = ", ".join(answer.read().decode().split("\n"))
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer yet ({error})"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"has not looked at these pods yet: {pods}"
