"""Checking the lab part of a topology file with everything it leads to, without making anything."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stormlab import manifests, prometheus, topologyfile
from stormlab.errors import BadInputError, LabError
from stormlab.estate import Estate


def problems(path: Path, *, alone: bool = False) -> list[str]:
    """One line for each thing that is wrong with the file, its manifests or its Prometheus template.

    With `alone` the file by itself: neither kubectl nor promtool is asked about what it leads to.
    """
    try:
        estate = topologyfile.load(path)
    except BadInputError as error:
        return list(error.problems)
    return [] if alone else [*_manifests(estate), *_prometheus(estate)]


def _manifests(estate: Estate) -> list[str]:
    try:
        rendered = manifests.render_all(estate)
    except BadInputError as error:
        return list(error.problems)
    except LabError as error:
        return [str(error)]
    unknown = {
        f"{item.where}: image '{item.image}' is not in lab.images of {estate.source}"
        for region, objects in rendered.items()
        for item in manifests.programs(region, objects)
        if item.image not in estate.images
    }
    return sorted(unknown)


def _prometheus(estate: Estate) -> list[str]:
    part = estate.preset.prometheus
    if part is None:
        return []
    with tempfile.TemporaryDirectory(prefix="stormlab-check-") as scratch:
        try:
            return prometheus.problems(estate, part, Path(scratch))
        except BadInputError as error:
            return list(error.problems)
        except LabError as error:
            return [str(error)]
