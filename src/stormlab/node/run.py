"""One container of a pod through its runs: starting, probing, waiting, starting again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stormlab import cgroup
from stormlab.kubeletsettings import KubeletSettings
from stormlab.node import hooks, orders
from stormlab.node.backoff import RestartBackoff
from stormlab.node.home import Home
from stormlab.node.orders import CannotStartError
from stormlab.node.podspec import Container, PodSpec, Probe
from stormlab.node.podstatus import State, View
from stormlab.node.probe import Prober
from stormlab.pod.shimclient import ShimClient, ShimError

_RETRY_S = 2.0
_AFTER_HOOK_S = 2.0
_SHOWN_S = 0.4
"""How long a status says how a container ended before it says that it waits, or it is started again."""
_LOOK_S = 0.5
"""How soon a grace period that was shortened meanwhile counts."""


class ContainerRun:
    """The runs of one container. `wake` is called when its status may differ.

    `first`: it prepares the pod, so it has to succeed once.
    """

    def __init__(
        self, container: Container, wake: Any, settings: KubeletSettings, *, first: bool = False
    ) -> None:
        self.container = container
        self._first = first
        self._wake = wake
        self._backoff = RestartBackoff(settings.max_container_restart_period_s)
        self._waiting: tuple[str, str] | None = ("ContainerCreating", "")
        self._start_due_s = 0.0
        self._shown_until_s = 0.0
        self._ended_attempt = -1
        self._prober: Prober | None = None
        self._probed_attempt = -1
        self._killing_attempt = -1
        self._image = ""
        """Of the present run, empty when an earlier node process began it."""
        self.inherited: dict[int, tuple[bool, bool]] = {}
        """Ready and started of a run that an earlier node process began, by attempt."""
        self.lost: State | None = None
        """How the last run in a sandbox that was lost ended."""

    def state(self, shim: ShimClient | None) -> State | None:
        """Last known state, None before the first start."""
        return (shim.states.get(self.container.name) if shim else None) or self.lost

    def succeeded(self, shim: ShimClient | None) -> bool:
        """Whether its last run ended well."""
        state = self.state(shim)
        return state is not None and state["finished_at"] is not None and state["exit_code"] == 0

    def failed(self, pod: PodSpec, shim: ShimClient | None) -> bool:
        """Whether it ended badly and is not tried again."""
        state = self.state(shim)
        ended = state is not None and state["finished_at"] is not None
        return ended and not self.succeeded(shim) and not self._restarts(pod, state or {})

    async def tend(self, home: Home) -> float | None:
        """Do what is due now; seconds until something is due again, None when nothing is."""
        state = self.state(home.shim)
        if state is None:
            return await self._start(home, 0, None)
        if state["finished_at"] is None:
            return await self._keep(home, state)
        return await self._after_end(home, state)

    async def _after_end(self, home: Home, state: State) -> float | None:
        self.close()
        if not self._restarts(home.pod, state):
            return None
        if self._ended_attempt != state["attempt"]:
            self._ended_attempt = state["attempt"]
            # The record may be of before this node process began: wall time leads back to ours.
            ended_s = time.monotonic() - max(0.0, time.time() - state["finished_at"])
            self._start_due_s = self._backoff.ended(ended_s)
            self._shown_until_s = time.monotonic() + _SHOWN_S
            self._waiting = ("RunContainerError", state["message"]) if state["message"] else None
        shown_s = self._shown_until_s - time.monotonic()
        if shown_s > 0:
            return shown_s
        left_s = self._start_due_s - time.monotonic()
        if left_s > 0:
            self._back_off(home, left_s)
            return left_s
        return await self._start(home, state["attempt"] + 1, state)

    def _back_off(self, home: Home, left_s: float) -> None:
        if self._waiting is not None and self._waiting[0] == "CrashLoopBackOff":
            return
        name = f"{self.container.name} pod={home.pod.name}_{home.pod.namespace}({home.pod.uid})"
        self._waiting = ("CrashLoopBackOff", f"back-off {left_s:.0f}s restarting failed container={name}")
        home.say("Warning", "BackOff", f"Back-off restarting failed container {name}")

    def _restarts(self, pod: PodSpec, state: State) -> bool:
        if pod.restart_policy == "Always" and not self._first:
            return True
        return pod.restart_policy != "Never" and state["exit_code"] != 0

    async def _start(self, home: Home, attempt: int, last: State | None) -> float | None:
        try:
            order = await orders.start(home, self.container, attempt)
        except CannotStartError as error:
            return self._wait_for(home, error.reason, str(error))
        previous = {key: value for key, value in last.items() if key != "last"} if last else None
        try:
            await home.shim.ask({"op": "start", **order, "last": previous})
        except ShimError as error:
            home.say("Warning", "Failed", f"Error: {error}")
            return _RETRY_S
        self._waiting = ("ContainerCreating", "")
        self._image = self.container.image
        home.say("Normal", "Started", f"Started container {self.container.name}")
        await self._after_start(home)
        return 0.0

    async def _after_start(self, home: Home) -> None:
        hook = self.container.hook("postStart")
        if hook is None:
            return
        if why := await hooks.run(home, self.container, hook):
            home.say("Warning", "FailedPostStartHook", f"PostStartHook failed: {why}")
            await self.stop(home, home.pod.grace_s)

    def _wait_for(self, home: Home, reason: str, message: str) -> float:
        if self._waiting != (reason, message):
            self._waiting = (reason, message)
            home.say("Warning", "Failed", f"{reason}: {message}")
        return _RETRY_S

    async def _keep(self, home: Home, state: State) -> float | None:
        attempt = state["attempt"]
        if self._prober is None or self._probed_attempt != attempt:
            self.close()
            self._probed_attempt = attempt
            self._prober = self._new_prober(home)
        doomed = self._prober.health.doomed
        if self._image not in {"", self.container.image}:
            doomed = f"Container {self.container.name} definition changed"
        if doomed and self._killing_attempt != attempt:
            self._killing_attempt = attempt
            home.say("Normal", "Killing", f"{doomed}, will be restarted")
            own_s = self._prober.health.grace_s
            await self.stop(home, home.pod.grace_s if own_s is None else own_s)
        return None

    def _new_prober(self, home: Home) -> Prober:
        async def run(command: Sequence[str], timeout_s: float) -> tuple[int, str]:
            return await orders.run(home, self.container, command, timeout_s)

        def failed(probe: Probe, why: str) -> None:
            message = f"{probe.kind.capitalize()} probe failed: {why}"
            home.say("Warning", "Unhealthy", message)

        before = self.inherited.pop(self._probed_attempt, None)
        return Prober(self.container, home.sandbox.address, run, self._wake, failed, before=before)

    async def stop(self, home: Home, grace_s: float) -> None:
        """Run its last hook, SIGTERM, and SIGKILL to everything in it when it still runs after `grace_s`.

        The pod's own end comes first if that is sooner. Raises ShimError.
        """
        until_s, at_least_s = time.monotonic() + grace_s, 0.0

        def left_s() -> float:
            return max(at_least_s, min(until_s, home.until())) - time.monotonic()

        hook = self.container.hook("preStop")
        if hook is not None and self._runs(home) and left_s() > 0:
            bounded = replace(home, until=lambda: min(until_s, home.until()))
            if why := await hooks.run(bounded, self.container, hook):
                home.say("Warning", "FailedPreStopHook", f"PreStopHook failed: {why}")
            # However long that took: the program is told, and has a moment.
            at_least_s = time.monotonic() + _AFTER_HOOK_S
        if self._runs(home) and left_s() > 0:
            await home.shim.ask({"op": "signal", "container": self.container.name, "signal": 15})
        while self._runs(home):
            if left_s() <= 0:
                cgroup.kill(home.sandbox.group / self.container.name)
            await home.shim.change_within(min(max(0.05, left_s()), _LOOK_S))

    def _runs(self, home: Home) -> bool:
        state = home.shim.states.get(self.container.name)
        return state is not None and state["finished_at"] is None and not home.shim.gone.is_set()

    def view(self, pod: PodSpec, shim: ShimClient | None) -> View:
        """For the pod's status."""
        state = self.state(shim)
        health = self._prober.health if self._prober else None
        running = state is not None and state["finished_at"] is None
        return View(
            container=self.container,
            state=state,
            waiting=self._waiting,
            ready=self.succeeded(shim) if self._first else bool(running and health and health.ready),
            started=bool(running and health and health.started),
            will_restart=state is not None and not running and self._restarts(pod, state),
        )

    def change_image(self, image: str) -> None:
        """The pod names another image: what runs is ended for it."""
        if image != self.container.image:
            self.container = replace(self.container, image=image)

    def close(self) -> None:
        """Stop probing."""
        if self._prober is not None:
            self._prober.close()
            self._prober = None
            self._probed_attempt = -1
