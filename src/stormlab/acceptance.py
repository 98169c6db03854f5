"""Whether the lab's API will take a region's objects: asked in memory, before anything is made on the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from stormlab.api.bodies import decode_value
from stormlab.api.kinds import NAMESPACE
from stormlab.api.objects import Objects
from stormlab.api.status import ApiError
from stormlab.api.store import Store

_LISTS = ("resources", "bases", "components", "patches", "patchesStrategicMerge", "patchesJson6902")
_ABOUT_WHAT_IS_SAID = ("FieldValueForbidden", "FieldValueInvalid", "FieldValueNotSupported")
_UNKNOWN = re.compile(r'unknown field "(?:[^"]*[.\]])?([^".\]]+)"')


def refusals(directory: Path, objects: Iterable[dict[str, Any]], service_network: str) -> Iterator[str]:
    """Yield a line for each object of a kustomize directory that the API would refuse, and why.

    `objects` in the order in which they are made. A field that the API refuses comes with its file, if one has it.
    """
    api = Objects(Store(None), service_network=service_network)
    api.create(NAMESPACE, "", {"metadata": {"name": "default"}})
    for part in objects:
        try:
            _create(api, part)
        except ApiError as error:
            found = [place for field in _fields(error) for place in _places(directory, field)]
            where = f" ({', '.join(found)})" if found else ""
            name = (part.get("metadata") or {}).get("name")
            yield f"{directory}: {part.get('kind')} {name}: {error.message}{where}"


def _create(api: Objects, part: dict[str, Any]) -> None:
    version, name = str(part.get("apiVersion")), str(part.get("kind"))
    kind = api.store.catalog.of_kind(version, name)
    if kind is None:
        raise ApiError(404, "NotFound", f"the lab's API does not serve {name} of {version}")
    tree = decode_value(kind, part, "Strict").tree
    namespace = tree["metadata"].get("namespace") or "default"
    api.create(kind, namespace if kind.namespaced else "", tree)


def _fields(error: ApiError) -> list[str]:
    """Names of the fields that the API does not know, or refuses by their path."""
    listed = (error.details or {}).get("causes") or ()
    paths = [cause["field"] for cause in listed if cause["reason"] in _ABOUT_WHAT_IS_SAID]
    named = [re.sub(r"\[\d+\]$", "", path).rpartition(".")[2] for path in paths]
    return list(dict.fromkeys([*_UNKNOWN.findall(error.message), *named]))


def _places(directory: Path, field: str) -> Iterator[str]:
    """Yield `file:line` where a field of this name stands in the sources of a kustomize directory."""
    wanted = re.compile(rf"(?:^|[\s{{,\"']){re.escape(field)}[\"']?\s*:")
    for path in sorted(set(_sources(directory))):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if wanted.search(line):
                yield f"{path}:{number}"


def _sources(directory: Path) -> Iterator[Path]:
    """Yield the files that a kustomization takes objects or patches from, those of the ones below it included."""
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text(encoding="utf-8"))
    for key in _LISTS:
        for entry in kustomization.get(key) or ():
            text = entry.get("path") if isinstance(entry, dict) else entry
            if not text or "\n" in text:  # a patch that stands in the kustomization itself
                yield directory / "kustomization.yaml"
                continue
            path = (directory / text).resolve()
            if (path / "kustomization.yaml").is_file():
                yield from _sources(path)
            elif path.is_file():
                yield path
