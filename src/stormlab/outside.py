"""HTTP as seen from the outside of every site, or through a forward: what `up` and `status` ask with."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any

from stormlab.errors import LabError
from stormlab.net import netns

_TIMEOUT_S = 3.0
_MAX_BYTES = 16 * 1024**2


def _fetch(address: str, port: int, path: str, timeout_s: float = _TIMEOUT_S) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise LabError(f"http://{address}:{port}{path}: {error or type(error).__name__}") from error
    finally:
        connection.close()


async def through_forward(port: int, path: str) -> tuple[int, bytes]:
    """GET over the host's loopback: status and body. Raises LabError when nothing answers within 3 s."""
    return await asyncio.to_thread(_fetch, "127.0.0.1", port, path)


async def from_outside(
    namespace: str, address: str, port: int, path: str, timeout_s: float = _TIMEOUT_S
) -> tuple[int, bytes]:
    """GET from inside the outside's namespace, over the links. Raises LabError like `through_forward`."""
    return await asyncio.to_thread(netns.within, namespace, lambda: _fetch(address, port, path, timeout_s))


def parsed(body: bytes, what: str) -> Any:
    """The body as JSON. Raises LabError naming `what` when it is none."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise LabError(f"{what}: the answer is not JSON") from error
