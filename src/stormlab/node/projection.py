"""What the files of a volume hold: ConfigMaps, Secrets, facts about the pod, the token of its account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stormlab.errors import LabError
from stormlab.node import downward
from stormlab.node.downward import ConfigError
from stormlab.node.environment import Objects, data_of
from stormlab.node.payload import File
from stormlab.node.podspec import Object, PodSpec

KINDS = ("configMap", "secret", "downwardAPI", "projected")
_MODE = 0o644


class VolumeError(LabError):
    """A volume cannot be made or mounted."""


@dataclass(frozen=True)
class Sources:
    """Where the content comes from."""

    objects: Objects
    token: Callable[[], Awaitable[bytes]]
    """Of the pod's service account; raises ConfigError."""


def from_api(volume: Object) -> bool:
    """Whether the volume holds what the API says, rather than what the pod writes."""
    return any(kind in volume for kind in KINDS)


def sources_of(volume: Object) -> set[tuple[str, str]]:
    """ConfigMaps and Secrets that a volume shows, as (`configmaps` or `secrets`, name)."""
    found = set()
    for kind, source in _parts(volume):
        if kind == "configMap":
            found.add(("configmaps", str(source.get("name"))))
        elif kind == "secret":
            found.add(("secrets", str(source.get("secretName") or source.get("name"))))
    return found


async def collect(volume: Object, pod: PodSpec, sources: Sources) -> dict[str, File]:
    """The files of a volume by path. Raises ConfigError when a source or key is not there, VolumeError."""
    default = int(_whole(volume).get("defaultMode") or _MODE)
    files: dict[str, File] = {}
    for kind, source in _parts(volume):
        for path, data, mode in await _part(kind, source, pod, sources):
            files[_inside(path)] = File(data, mode or default)
    return files


def _whole(volume: Object) -> Object:
    found: Object = next(volume[kind] for kind in KINDS if kind in volume)
    return found


def _parts(volume: Object) -> list[tuple[str, Object]]:
    if "projected" in volume:
        listed = volume["projected"].get("sources") or ()
        return [(kind, source) for part in listed for kind, source in part.items()]
    return [(kind, volume[kind]) for kind in KINDS if kind in volume]


_Found = list[tuple[str, bytes, int]]


async def _part(kind: str, source: Object, pod: PodSpec, sources: Sources) -> _Found:
    if kind == "downwardAPI":
        items = source.get("items") or ()
        return [(item["path"], downward.of_item(item, pod), int(item.get("mode") or 0)) for item in items]
    if kind == "serviceAccountToken":
        return [(source["path"], await sources.token(), 0)]
    plural, name = {
        "configMap": ("configmaps", source.get("name")),
        "secret": ("secrets", source.get("secretName") or source.get("name")),
    }[kind]
    optional = bool(source.get("optional"))
    data = await data_of(sources.objects, plural, pod.namespace, str(name), optional=optional)
    return _chosen(source, data, optional=optional)


def _chosen(source: Object, data: Mapping[str, bytes], *, optional: bool) -> _Found:
    items: list[dict[str, Any]] = source.get("items") or [{"key": key, "path": key} for key in data]
    found: _Found = []
    for item in items:
        if item["key"] in data:
            found.append((item["path"], data[item["key"]], int(item.get("mode") or 0)))
        elif not optional:
            raise ConfigError(f"references non-existent config key: {item['key']}")
    return found


def _inside(relative: str) -> str:
    if relative.startswith("/") or ".." in relative.split("/"):
        raise VolumeError(f"path {relative} leads out of its volume")
    return relative
