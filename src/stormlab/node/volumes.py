"""A pod's volumes as directories of this machine, and where its containers see them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stormlab import claimspace
from stormlab.client import ApiError
from stormlab.inventory import Inventory
from stormlab.node import payload
from stormlab.node.downward import ConfigError
from stormlab.node.environment import Objects
from stormlab.node.hostpath import HostPathError, NodeFiles
from stormlab.node.podspec import Container, Object, PodSpec
from stormlab.node.projection import Sources, VolumeError, collect, from_api
from stormlab.pod.rootfs import Mount
from stormlab.quantity import whole


@dataclass(frozen=True)
class Store:
    """Where the volumes of one pod lie."""

    directory: Path
    """The pod's own."""
    claims: Path
    """Holds what outlives pods: `<namespace>/<claim>/<uid>`."""
    files: NodeFiles
    """The node's."""
    inventory: Inventory


@dataclass(frozen=True)
class Volume:
    """One volume, ready to be mounted."""

    place: Path
    disk: int = 0
    """Bytes of memory that stand for a disk here; 0 where it has no size, or is memory to the pod too."""


async def prepare(pod: PodSpec, store: Store, sources: Sources) -> dict[str, Volume]:
    """Make the volumes that containers mount, by name.

    Raises ConfigError when a ConfigMap, Secret, key or claim is not there (yet), VolumeError.
    """
    used = {mount.volume for container in pod.every_container for mount in container.mounts}
    unknown = used - pod.volumes.keys()
    if unknown:
        raise VolumeError(f"no volume called {', '.join(sorted(unknown))}")
    return {name: await _prepare(pod, pod.volumes[name], store, sources) for name in used}


async def refresh(pod: PodSpec, store: Store, sources: Sources) -> bool:
    """Write anew what mounted volumes show of the API; whether anything changed. Raises as `prepare`."""
    used = {mount.volume for container in pod.every_container for mount in container.mounts}
    changed = False
    for name in used & pod.volumes.keys():
        place = _of_pod(store, name)
        if from_api(pod.volumes[name]) and place.exists():
            changed |= payload.write(place, await collect(pod.volumes[name], pod, sources))
    return changed


def _of_pod(store: Store, name: str) -> Path:
    return store.directory / "volumes" / name


async def _prepare(pod: PodSpec, volume: Object, store: Store, sources: Sources) -> Volume:
    place = _of_pod(store, volume["name"])
    if from_api(volume):
        payload.write(place, await collect(volume, pod, sources))
    elif "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]["claimName"]
        return await _of_claim(store, pod.namespace, claim, sources.objects)
    elif "hostPath" in volume:
        place = _of_node(volume, store.files)
    else:
        return await asyncio.to_thread(_empty, pod, volume, store)
    return Volume(place)


def _empty(pod: PodSpec, volume: Object, store: Store) -> Volume:
    source = volume.get("emptyDir") or {}
    in_memory = source.get("medium") == "Memory"
    if not in_memory and not source.get("sizeLimit"):
        place = _of_pod(store, volume["name"])
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)
        return Volume(place)
    place = claimspace.of_pod(store.inventory.state, pod.uid) / volume["name"]
    size = whole(source["sizeLimit"]) if source.get("sizeLimit") else claimspace.SIZE_MB << 20
    size = claimspace.mount(place, size, store.inventory, mode="1777" if in_memory else "0777")
    return Volume(place, 0 if in_memory else size)


async def _of_claim(store: Store, namespace: str, name: str, objects: Objects) -> Volume:
    """The volume of the claim that has this name now; those of its deleted namesakes are erased."""
    try:
        claim = await objects.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
    except ApiError as error:
        raise ConfigError(str(error)) from error
    asked = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    place = store.claims / namespace / name / str(claim["metadata"]["uid"])
    return await asyncio.to_thread(_only, place, whole(str(asked.get("storage") or "0")), store.inventory)


def _only(place: Path, size: int, inventory: Inventory) -> Volume:
    """Make a volume, and the only one of its name."""
    for other in place.parent.glob("*"):
        if other != place:
            claimspace.unmount(other, inventory)
            shutil.rmtree(other, ignore_errors=True)
    if not size:
        place.mkdir(parents=True, exist_ok=True)
        return Volume(place)
    return Volume(place, claimspace.mount(place, size, inventory))


def _of_node(volume: Object, files: NodeFiles) -> Path:
    try:
        return files.place(volume["hostPath"])
    except HostPathError as error:
        raise VolumeError(str(error)) from error


def mounts(container: Container, volumes: Mapping[str, Volume], pod: PodSpec) -> list[Mount]:
    """What a container sees where. Raises VolumeError for a sub-path that is not there."""
    found = []
    for wanted in container.mounts:
        source = volumes[wanted.volume].place
        # As in Kubernetes: what comes from the API is not written back.
        volume = pod.volumes[wanted.volume]
        read_only = from_api(volume) or bool((volume.get("persistentVolumeClaim") or {}).get("readOnly"))
        if wanted.sub_path:
            if wanted.sub_path.startswith("/") or ".." in wanted.sub_path.split("/"):
                raise VolumeError(f"path {wanted.sub_path} leads out of its volume")
            source /= wanted.sub_path
            if read_only and not source.exists():
                raise VolumeError(f"volume {wanted.volume} has no {wanted.sub_path}")
            if not read_only:
                os.makedirs(source, exist_ok=True)  # noqa: PTH103  may be a file already
        found.append(Mount(str(source), wanted.path, wanted.read_only or read_only))
    return found


def disk_of(container: Container, volumes: Mapping[str, Volume]) -> int:
    """Bytes that a container may write to what is a disk to it and memory to this machine."""
    named = {mount.volume for mount in container.mounts if not mount.read_only}
    return sum(volumes[name].disk for name in named)
