"""`hostPath`: what a pod that asks for the host's files gets, a disk of its zone's own.

Nodes of an estate have a disk each; those of the lab share the machine's, and a pod of one zone must find neither the
machine's files nor those of another zone. The control groups are the machine's own, of which it sees its zone's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stormlab.errors import LabError
from stormlab.hostfiles import GROUPS, of_the_machine


class HostPathError(LabError):
    """The path is not on the node, or not what the pod says it is."""


@dataclass(frozen=True)
class NodeFiles:
    """The files of one node."""

    disk: Path
    """Directory that stands for its disk; made when first needed, not for others to read."""
    groups: Path
    """Its control group of the v2 hierarchy."""

    def place(self, source: Mapping[str, Any]) -> Path:
        """Where a `hostPath` volume lies on this machine. Raises HostPathError."""
        path, kind = PurePosixPath("/", source["path"]), source.get("type") or ""
        if ".." in path.parts or of_the_machine(str(path)):
            raise HostPathError(f"hostPath {path} is not on this node")
        if path.is_relative_to(GROUPS):
            found = self.groups / path.relative_to(GROUPS)
        else:
            self.disk.parent.parent.mkdir(mode=0o700, exist_ok=True)
            self.disk.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.disk / path.relative_to("/")
            # A pod may have left a link there that leads out of the disk.
            if not found.resolve().is_relative_to(self.disk.resolve()):
                raise HostPathError(f"hostPath {path} leads out of the node's disk")
            _make(found, kind)
        _check(found, str(path), kind)
        return found


def _make(place: Path, kind: str) -> None:
    # Without a type nothing is checked, and the container runtime makes what is missing.
    if place.exists():
        return
    if kind in {"", "DirectoryOrCreate"}:
        place.mkdir(mode=0o755, parents=True)
    elif kind == "FileOrCreate":
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o644)


def _check(place: Path, path: str, kind: str) -> None:
    fits = {
        "Directory": place.is_dir,
        "DirectoryOrCreate": place.is_dir,
        "File": place.is_file,
        "FileOrCreate": place.is_file,
    }.get(kind, place.exists)
    if not fits():
        what = "directory" if kind.startswith("Directory") else "file"
        raise HostPathError(f"hostPath type check failed: {path} is not a {what}")
