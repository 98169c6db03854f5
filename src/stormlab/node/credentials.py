"""What a pod identifies itself to the API with: token, CA and namespace of its service account, as files.

A real API server adds a projected volume to the pod for this; here the node mounts the same three files by itself.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from stormlab import accounts
from stormlab.client import ApiError
from stormlab.node.downward import ConfigError
from stormlab.node.environment import Objects
from stormlab.node.podspec import PodSpec
from stormlab.pod.rootfs import Mount

PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
_DIRECTORY = "serviceaccount"


async def mounts(pod: PodSpec, directory: Path, pki: Path, objects: Objects) -> list[Mount]:
    """What every container of the pod gets, nothing when pod or account do not want it.

    Made once for a pod, below its own `directory`: it restarts without asking the API. Raises ConfigError when the
    account is not there.
    """
    wanted = pod.spec.get("automountServiceAccountToken")
    if wanted is False:
        return []
    place = directory / _DIRECTORY
    if not (place / "token").exists():
        found = await _account(pod, objects)
        if wanted is None and found.get("automountServiceAccountToken") is False:
            return []
        _write(pod, str(found["metadata"]["uid"]), place, pki)
    return [Mount(str(place), PLACE, read_only=True)]


async def token(pod: PodSpec, directory: Path, pki: Path, objects: Objects) -> bytes:
    """The token alone, for a volume that asks for it by name. Raises ConfigError."""
    place = directory / _DIRECTORY
    if not (place / "token").exists():
        _write(pod, str((await _account(pod, objects))["metadata"]["uid"]), place, pki)
    return (place / "token").read_bytes()


def _name(pod: PodSpec) -> str:
    return str(pod.spec.get("serviceAccountName") or "default")


async def _account(pod: PodSpec, objects: Objects) -> dict[str, Any]:
    try:
        return await objects.get(f"/api/v1/namespaces/{pod.namespace}/serviceaccounts/{_name(pod)}")
    except ApiError as error:
        raise ConfigError(str(error)) from error


def _write(pod: PodSpec, uid: str, place: Path, pki: Path) -> None:
    account = accounts.Account(pod.namespace, _name(pod), uid, pod.name, pod.uid)
    place.mkdir(mode=0o755, exist_ok=True)
    (place / "namespace").write_text(pod.namespace, encoding="utf-8")
    (place / "ca.crt").write_bytes((pki / "ca.crt").read_bytes())
    # The token last and whole: it says that the rest is there.
    fresh = place / ".token"
    fresh.write_text(accounts.mint(accounts.key(pki), account, time.time()), encoding="ascii")
    fresh.replace(place / "token")
