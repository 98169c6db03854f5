"""A pod's volumes as directories of this machine, and where its containers see them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from stormlab.client import ApiError
from stormlab.errors import LabError
from stormlab.node.environment import ConfigError, Objects, data_of
from stormlab.node.hostpath import HostPathError, NodeFiles
from stormlab.node.podspec import Container, Object, PodSpec
from stormlab.pod.rootfs import Mount


class VolumeError(LabError):
    """A volume cannot be made or mounted."""


async def prepare(
    pod: PodSpec, directory: Path, claims: Path, files: NodeFiles, objects: Objects
) -> dict[str, Path]:
    """Make the volumes that containers mount; directory of each by name.

    `directory` is the pod's own, `claims` holds what outlives it (`<namespace>/<claim>/<uid>`), `files` are the node's.
    Raises ConfigError when a ConfigMap, Secret or key is not there (yet), VolumeError.
    """
    used = {mount.volume for container in pod.containers for mount in container.mounts}
    unknown = used - pod.volumes.keys()
    if unknown:
        raise VolumeError(f"no volume called {', '.join(sorted(unknown))}")
    found = {}
    for name in used:
        volume = pod.volumes[name]
        place = directory / "volumes" / name
        if "configMap" in volume or "secret" in volume:
            await _write_files(pod, volume, place, objects)
        elif "persistentVolumeClaim" in volume:
            name_of_claim = volume["persistentVolumeClaim"]["claimName"]
            place = await _of_claim(claims / pod.namespace / name_of_claim, pod.namespace, objects)
        elif "hostPath" in volume:
            place = _of_node(volume, files)
        else:
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o777)
        found[name] = place
    return found


async def _of_claim(place: Path, namespace: str, objects: Objects) -> Path:
    """The volume of the claim that has this name now; those of its deleted namesakes are erased."""
    try:
        claim = await objects.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{place.name}")
    except ApiError as error:
        raise ConfigError(str(error)) from error
    return _only(place / str(claim["metadata"]["uid"]))


def _only(volume: Path) -> Path:
    """Make a directory, and the only one of its parent."""
    for other in volume.parent.glob("*"):
        if other != volume:
            shutil.rmtree(other, ignore_errors=True)
    volume.mkdir(parents=True, exist_ok=True)
    return volume


def _of_node(volume: Object, files: NodeFiles) -> Path:
    try:
        return files.place(volume["hostPath"])
    except HostPathError as error:
        raise VolumeError(str(error)) from error


async def _write_files(pod: PodSpec, volume: Object, place: Path, objects: Objects) -> None:
    secret = "secret" in volume
    source = volume["secret"] if secret else volume["configMap"]
    kind, name = ("secrets", source.get("secretName")) if secret else ("configmaps", source.get("name"))
    optional = bool(source.get("optional"))
    data = await data_of(objects, kind, pod.namespace, str(name), optional=optional)
    _put(place, source, data, optional=optional)


def _put(place: Path, source: Object, data: Mapping[str, bytes], *, optional: bool) -> None:
    default = int(source.get("defaultMode") or 0o644)
    items = source.get("items") or [{"key": key, "path": key} for key in data]
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for item in items:
        if item["key"] not in data:
            if optional:
                continue
            raise ConfigError(f"references non-existent config key: {item['key']}")
        path = _inside(place, item["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[item["key"]])
        path.chmod(int(item.get("mode") or default))


def _inside(place: Path, relative: str) -> Path:
    if relative.startswith("/") or ".." in relative.split("/"):
        raise VolumeError(f"path {relative} leads out of its volume")
    return place / relative


def mounts(container: Container, volumes: Mapping[str, Path], pod: PodSpec) -> list[Mount]:
    """What a container sees where. Raises VolumeError for a sub-path that is not there."""
    found = []
    for wanted in container.mounts:
        source = volumes[wanted.volume]
        volume = pod.volumes[wanted.volume]
        # As in Kubernetes: what comes from the API is not written back.
        from_api = "configMap" in volume or "secret" in volume
        if wanted.sub_path:
            source = _inside(source, wanted.sub_path)
            if from_api and not source.exists():
                raise VolumeError(f"volume {wanted.volume} has no {wanted.sub_path}")
            if not from_api:
                os.makedirs(source, exist_ok=True)  # noqa: PTH103  may be a file already
        found.append(Mount(str(source), wanted.path, wanted.read_only or from_api))
    return found
