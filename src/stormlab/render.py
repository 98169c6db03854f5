"""Everything that follows from a compact estate, written out: the full topology, and manifests for each region."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

import stormestate
from stormlab import compact, yamltree
from stormlab.errors import BadInputError
from stormlab.overlays import Overlays

TOPOLOGY = "topology.yaml"
MANIFESTS = "kubernetes"
_WIDTH = 118


def write(topology: Path, directory: Path) -> list[Path]:
    """Write the full topology and the overlays of a compact one into `directory`; the places to look at.

    The directory stands on its own: files that the estate names by a path below its own are copied. Raises
    BadInputError when the file is no compact estate, when it is wrong, or when something is in the directory already.
    """
    node = yamltree.compose(topology)
    if node is None or not stormestate.is_compact(node):
        raise BadInputError([f"{topology}: not of schema {stormestate.SCHEMA}: nothing follows from it"])
    expansion = compact.expand(node, topology.parent)
    if expansion.problems:
        raise BadInputError(f"{topology}:{line}: {text}" for line, text in expansion.problems)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise BadInputError([f"{directory}: is there already, and not empty"])
    directory.mkdir(parents=True, exist_ok=True)
    Overlays(topology.parent / expansion.base, expansion.overlays).write(directory / MANIFESTS)
    _copy_named(expansion.named, topology.parent, directory)
    tree = expansion.with_manifests(MANIFESTS)
    text = yaml.serialize(tree, width=_WIDTH, allow_unicode=True)
    (directory / TOPOLOGY).write_text(f"# The full form of {topology.name}.\n{text}", encoding="utf-8")
    return [directory / TOPOLOGY, *(directory / MANIFESTS / region for region in expansion.regions)]


def _copy_named(names: tuple[str, ...], source: Path, target: Path) -> None:
    """Copy files that are named relative to the estate and lie below it; others stay where they are."""
    for name in names:
        place = Path(name)
        if place.is_absolute() or ".." in place.parts or not (source / place).is_file():
            continue
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / place, target / place)
