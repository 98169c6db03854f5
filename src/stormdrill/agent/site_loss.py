"""The second half of a site loss: every container of every pod on the node dies, and dies again, until reverted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stormdrill.agent import cgroups
from stormdrill.faultspec import NAMESPACE

_LOOK_S = 2.0
_OVER = ("Succeeded", "Failed")
_CONFIG_HASH = "kubernetes.io/config.hash"
"""A static pod's groups have this in place of the UID of the object that mirrors it."""


def own_uid() -> str:
    """UID of the pod this process runs in; empty outside of pods."""
    if uid := os.environ.get("POD_UID"):
        return uid
    text = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    match = re.search(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})", text)
    return match[1].replace("_", "-") if match else ""


class Killer:
    """Kills what it knows of and finds below `base`. Spared: the agent's own pod, and our pods with a label."""

    def __init__(self, base: Path, spare: Mapping[str, str]) -> None:
        self._base = base
        self._spare = dict(spare)
        self._own = own_uid()
        self._parents: list[Path] = []
        self._looked_s = float("-inf")
        self._victims: set[str] = set()
        self._found: set[str] = set()
        self.kills = 0
        self.trouble = ""

    def know(self, pods: Sequence[Mapping[str, Any]]) -> None:
        """These are the node's pods now. Those known before stay: cut off, the node may not have heard."""
        for pod in pods:
            meta = pod["metadata"]
            if (
                (pod.get("status") or {}).get("phase") in _OVER
                or meta["uid"] == self._own
                or self._spared(meta)
            ):
                continue
            self._victims.add(str((meta.get("annotations") or {}).get(_CONFIG_HASH, meta["uid"])))

    def strike(self) -> None:
        """Kill whatever runs, now. `trouble` says what stood in the way."""
        if time.monotonic() - self._looked_s >= _LOOK_S:
            self._parents, self._looked_s = cgroups.parents(self._base), time.monotonic()
        here = cgroups.pods(self._parents)
        self.trouble = ""
        for uid in self._victims & here.keys():
            self._found.add(uid)
            try:
                self.kills += cgroups.kill_containers(here[uid])
            except OSError as error:
                self.trouble = f"the containers of pod {uid} cannot be killed: {error}"
        if self._victims and not self._found:
            self.trouble = f"no control group of any of {len(self._victims)} pods at {self._base}"

    def evidence(self) -> dict[str, Any]:
        """How many pods, how often a container was killed, how many pods had no control group."""
        return {
            "pods": len(self._victims), "kills": self.kills, "pods_not_found": len(self._victims - self._found),
        }  # fmt: skip

    def _spared(self, meta: Mapping[str, Any]) -> bool:
        labels = meta.get("labels") or {}
        ours = meta.get("namespace") == NAMESPACE
        return ours and any(labels.get(key) == value for key, value in self._spare.items())
