"""Which zone a canary is in: its node's label, asked once of the Kubernetes API with the pod's own account."""

from __future__ import annotations

import http.client
import json
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from stormdrill.wait import pause

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ZONE_LABEL = "topology.kubernetes.io/zone"

_TIMEOUT_S = 5.0
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Api:
    """The Kubernetes API as a pod sees it: address, and the directory with `token` and `ca.crt`."""

    host: str
    port: int
    account: Path = ACCOUNT


def zone_of(node: str, api: Api) -> str:
    """The zone of a node, asked for until it is known: without it nothing that is measured has a name.

    A node without the label is its own zone.
    """
    said = ""
    while True:
        try:
            return _ask(node, api)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if str(error) != said:
                said = str(error)
                log.warning("zone of node %s: %s", node, said)
        pause(_AGAIN_S)


def _ask(node: str, api: Api) -> str:
    token = (api.account / "token").read_text(encoding="ascii").strip()
    trust = ssl.create_default_context(cafile=str(api.account / "ca.crt"))
    connection = http.client.HTTPSConnection(api.host, api.port, timeout=_TIMEOUT_S, context=trust)
    try:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        connection.request("GET", f"/api/v1/nodes/{node}", headers=headers)
        response = connection.getresponse()
        body = json.loads(response.read())
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(f"the API answers {response.status}: {body.get('message', '')}")
    return str((body["metadata"].get("labels") or {}).get(ZONE_LABEL) or node)
