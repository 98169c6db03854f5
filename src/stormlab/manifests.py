"""The objects of each region: its kustomize directory, rendered by kubectl and put in the order of need."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stormlab import acceptance
from stormlab.errors import BadInputError, LabError
from stormlab.estate import Estate, Region

Object = dict[str, Any]

# What others refer to comes first; database members before what waits for them.
_ORDER = ("Namespace", "ServiceAccount", "Secret", "ConfigMap", "Service", "StatefulSet")
_WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")
_TIMEOUT_S = 30.0
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Program:
    """What one container of a manifest starts."""

    image: str
    program: str | None
    """First word of its command; None when the image decides."""
    where: str
    """For messages: region, kind and name."""


def render_all(estate: Estate) -> dict[str, list[Object]]:
    """Objects of every region that has manifests.

    Raises BadInputError with what each renderer says, and with what the lab's API would not take.
    """
    regions = {region: region.manifests for region in estate.regions if region.manifests is not None}
    if estate.overlays is None:
        return _render_regions(regions)
    with tempfile.TemporaryDirectory(prefix="stormlab-manifests-") as scratch:
        estate.overlays.write(Path(scratch))
        try:
            return _render_regions({each: Path(scratch, each.name) for each in estate.regions} | regions)
        except BadInputError as error:
            raise BadInputError(
                estate.overlays.at_home(said, Path(scratch)) for said in error.problems
            ) from None


def _render_regions(regions: Mapping[Region, Path]) -> dict[str, list[Object]]:
    problems: list[str] = []
    rendered: dict[str, list[Object]] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        futures = {region: pool.submit(render, directory) for region, directory in regions.items()}
        for region, future in futures.items():
            try:
                objects = rendered[region.name] = future.result()
            except BadInputError as error:
                problems += error.problems
            else:
                problems += acceptance.refusals(regions[region], objects, str(region.service_network))
    if problems:
        raise BadInputError(problems)
    return rendered


def render(directory: Path) -> list[Object]:
    """Objects of one kustomize directory, in the order in which they are to be made."""
    if not (directory / "kustomization.yaml").is_file():
        raise BadInputError([f"{directory}: no kustomization.yaml here"])
    argv = ["kubectl", "kustomize", str(directory)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except FileNotFoundError as error:
        raise LabError("the program 'kubectl' is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv)}: no answer within {_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line and not line.startswith("# Warning")]
        raise BadInputError([f"{directory}: {' '.join(lines) or 'kustomize fails'}"])
    objects = [part for part in yaml.load_all(done.stdout, Loader=_Loader) if part]
    return sorted(objects, key=_rank)


def _rank(part: Object) -> int:
    kind = part.get("kind", "")
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def identity(part: Object) -> str:
    """`Kind namespace/name`, for messages."""
    meta = part.get("metadata", {})
    namespace = f"{meta['namespace']}/" if "namespace" in meta else ""
    return f"{part.get('kind')} {namespace}{meta.get('name')}"


def workloads(objects: Iterable[Object]) -> list[Object]:
    """The ones that make pods."""
    return [part for part in objects if part.get("kind") in _WORKLOADS]


def programs(region: str, objects: Iterable[Object]) -> Iterator[Program]:
    """What each container starts."""
    for part in workloads(objects):
        # Whether a workload is whole is for the API to say.
        spec = (((part.get("spec") or {}).get("template") or {}).get("spec")) or {}
        for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
            command = container.get("command") or [None]
            yield Program(container.get("image", ""), command[0], f"{region}: {identity(part)}")
