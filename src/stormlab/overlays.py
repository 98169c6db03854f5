"""Kustomize overlays that follow from a compact estate: written beside a copy of the manifests they build on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stormlab.errors import BadInputError

_BASE = "base"


@dataclass(frozen=True)
class Overlays:
    """The files of every region, by path; each region's directory has the region's name."""

    base: Path
    """Directory with the manifests that all regions share."""
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        """Write them into `directory`, which may have some already. Raises BadInputError without the manifests."""
        if not self.base.is_dir():
            raise BadInputError([f"{self.base}: no such directory; `lab.base` says where the manifests are"])
        shutil.copytree(self.base, directory / _BASE, dirs_exist_ok=True)
        for name, text in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def at_home(self, text: str, directory: Path) -> str:
        """A message about what was written into `directory`, which names the files that people have."""
        text = text.replace(f"{directory / _BASE}/", f"{self.base}/")
        return text.replace(f"{directory}/", "manifests of ")
