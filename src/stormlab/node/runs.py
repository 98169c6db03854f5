"""All containers of a pod: those that prepare it, one after the other, and then those it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from stormlab.kubeletsettings import KubeletSettings
from stormlab.node.home import Home
from stormlab.node.podspec import PodSpec
from stormlab.node.podstatus import View
from stormlab.node.run import ContainerRun
from stormlab.pod.shimclient import ShimClient, States


class PodRuns:
    """The runs of each. `wake` is called when the pod's status may differ."""

    def __init__(self, pod: PodSpec, wake: Callable[[], None], settings: KubeletSettings) -> None:
        self._first = {part.name: ContainerRun(part, wake, settings, first=True) for part in pod.inits}
        self._main = {part.name: ContainerRun(part, wake, settings) for part in pod.containers}
        self._every = self._first | self._main

    def find(self, name: str) -> ContainerRun | None:
        """The runs of the container of that name."""
        return self._every.get(name)

    async def tend(self, home: Home) -> list[float | None]:
        """Do what is due now; seconds until something is due again, None where nothing is."""
        for run in self._first.values():
            if run.succeeded(home.shim):
                continue
            # What failed for good leaves nothing to do: the pod has failed.
            return [None if run.failed(home.pod, home.shim) else await run.tend(home)]
        return [await run.tend(home) for run in self._main.values()]

    def serve(self, home: Home) -> bool:
        """Whether all are ready."""
        return all(run.view(home.pod, home.shim).ready for run in self._main.values())

    def views(self, pod: PodSpec, shim: ShimClient | None) -> tuple[list[View], list[View]]:
        """For the pod's status: what prepares it, and what it is made of."""
        return (
            [run.view(pod, shim) for run in self._first.values()],
            [run.view(pod, shim) for run in self._main.values()],
        )

    def inherit(self, status: Mapping[str, Any]) -> None:
        """Take over what an earlier node process found of runs that go on: readiness must not flicker."""
        for found in status.get("containerStatuses") or ():
            run = self._main.get(found["name"])
            if run is not None and "running" in found.get("state", {}):
                health = bool(found.get("ready")), bool(found.get("started"))
                run.inherited[found.get("restartCount") or 0] = health

    def change_images(self, spec: Mapping[str, Any]) -> None:
        """The pod's object may name other images now."""
        for part in spec["containers"]:
            self._main[part["name"]].change_image(part.get("image") or "")

    def lose(self, states: States) -> None:
        """The sandbox is gone, and with it whatever ran. What prepared the pod has to do it again."""
        for name, run in self._main.items():
            state = states.get(name)
            if state is not None:
                killed = {"finished_at": time.time(), "exit_code": 137, "signal": 9}
                run.lost = {**state, **killed} if state["finished_at"] is None else state
        self.close()

    def close(self) -> None:
        """Stop probing."""
        for run in self._every.values():
            run.close()
