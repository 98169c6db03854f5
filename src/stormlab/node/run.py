"""One container of a pod through its runs: starting, probing, waiting, starting again."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stormlab import cgroup
from stormlab.estate import Image
from stormlab.kubeletsettings import KubeletSettings
from stormlab.node import credentials
from stormlab.node.backoff import RestartBackoff
from stormlab.node.cache import CachedObjects
from stormlab.node.context import NodeContext
from stormlab.node.environment import ConfigError, api_variables, environment, expand
from stormlab.node.podspec import Container, PodSpec, Probe
from stormlab.node.podstatus import State, View
from stormlab.node.probe import Prober, read_output
from stormlab.node.volumes import VolumeError, mounts, prepare
from stormlab.pod.rootfs import Identity, plan
from stormlab.pod.sandbox import Sandbox
from stormlab.pod.shimclient import ShimClient, ShimError
from stormlab.wait import pause

_RETRY_S = 2.0


@dataclass(frozen=True)
class Home:
    """Where a pod's containers run at present."""

    node: NodeContext
    pod: PodSpec
    sandbox: Sandbox
    shim: ShimClient
    objects: CachedObjects


class ContainerRun:
    """The runs of one container. `wake` is called when its status may differ."""

    def __init__(self, container: Container, wake: Any, settings: KubeletSettings) -> None:
        self.container = container
        self._wake = wake
        self._backoff = RestartBackoff(settings.max_container_restart_period_s)
        self._waiting = ("ContainerCreating", "")
        self._start_due_s = 0.0
        self._ended_attempt = -1
        self._prober: Prober | None = None
        self._probed_attempt = -1
        self._killing_attempt = -1
        self.inherited: dict[int, tuple[bool, bool]] = {}
        """Ready and started of a run that an earlier node process began, by attempt."""
        self.lost: State | None = None
        """How the last run in a sandbox that was lost ended."""

    def state(self, shim: ShimClient | None) -> State | None:
        """Last known state, None before the first start."""
        return (shim.states.get(self.container.name) if shim else None) or self.lost

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
        left_s = self._start_due_s - time.monotonic()
        if left_s > 0:
            name = f"{self.container.name} pod={home.pod.name}_{home.pod.namespace}({home.pod.uid})"
            message = f"back-off {left_s:.0f}s restarting failed container={name}"
            if self._waiting[0] != "CrashLoopBackOff":
                self._waiting = ("CrashLoopBackOff", message)
                home.node.events.say(
                    home.pod.metadata, "Warning", "BackOff", f"Back-off restarting failed container {name}"
                )
            return left_s
        return await self._start(home, state["attempt"] + 1, state)

    def _restarts(self, pod: PodSpec, state: State) -> bool:
        return pod.restart_policy == "Always" or (
            pod.restart_policy == "OnFailure" and state["exit_code"] != 0
        )

    async def _start(self, home: Home, attempt: int, last: State | None) -> float | None:
        image = home.node.estate.images.get(self.container.image)
        if image is None:
            known = ", ".join(home.node.estate.images)
            why = f"no image '{self.container.image}' in this lab (known: {known})"
            return self._wait_for(home, "ErrImagePull", why)
        if not self.container.command:
            return self._wait_for(home, "CreateContainerError", "no command specified")
        try:
            order = await self._order(home, image, attempt)
        except ConfigError as error:
            return self._wait_for(home, "CreateContainerConfigError", str(error))
        except VolumeError as error:
            return self._wait_for(home, "CreateContainerError", str(error))
        previous = {key: value for key, value in last.items() if key != "last"} if last else None
        try:
            await home.shim.ask({"op": "start", **order, "last": previous})
        except ShimError as error:
            home.node.events.say(home.pod.metadata, "Warning", "Failed", f"Error: {error}")
            return _RETRY_S
        self._waiting = ("ContainerCreating", "")
        home.node.events.say(
            home.pod.metadata, "Normal", "Started", f"Started container {self.container.name}"
        )
        return 0.0

    def _wait_for(self, home: Home, reason: str, message: str) -> float:
        if self._waiting != (reason, message):
            self._waiting = (reason, message)
            home.node.events.say(home.pod.metadata, "Warning", "Failed", f"{reason}: {message}")
        return _RETRY_S

    async def _order(self, home: Home, image: Image, attempt: int) -> dict[str, Any]:
        """The shim's command. Raises ConfigError, VolumeError."""
        node, pod, sandbox = home.node, home.pod, home.sandbox
        directory = node.pod_directory(pod.uid)
        volumes = await prepare(pod, directory, node.claims, node.files, home.objects)
        seen = mounts(self.container, volumes, pod)
        if not any(mount.path == credentials.PLACE for mount in self.container.mounts):
            seen += await credentials.mounts(pod, directory, node.state / "pki", home.objects)
        env = await self._environment(home, image.path)
        return {
            "container": self.container.name,
            "attempt": attempt,
            "argv": [expand(word, env) for word in self.container.command],
            "env": env,
            "cwd": self.container.working_dir,
            "user": self.container.user,
            "group": self.container.group,
            "read_only": self.container.read_only_root,
            "privileged": self.container.privileged,
            "cgroup": self._group(sandbox),
            "root": str(directory / "root"),
            "steps": plan(_identity(home, self.container), seen, image.path),
        }

    async def _environment(self, home: Home, image_path: Sequence[str]) -> dict[str, str]:
        """All variables; the way to the API first, which a pod may set otherwise. Raises ConfigError."""
        node = home.node
        addresses = {"podIP": home.sandbox.address, "hostIP": node.zone.address}
        way = api_variables(node.estate.outside.address, node.region.api_port)
        return await environment(self.container, home.pod, addresses, image_path, home.objects, given=way)

    def _group(self, sandbox: Sandbox) -> str:
        return f"{sandbox.cgroup}/{self.container.name}"

    async def _keep(self, home: Home, state: State) -> float | None:
        attempt = state["attempt"]
        if self._prober is None or self._probed_attempt != attempt:
            self.close()
            self._probed_attempt = attempt
            self._prober = self._new_prober(home)
        doomed = self._prober.health.doomed
        if doomed and self._killing_attempt != attempt:
            self._killing_attempt = attempt
            home.node.events.say(home.pod.metadata, "Normal", "Killing", f"{doomed}, will be restarted")
            await self.stop(home, home.pod.grace_s)
        return None

    def _new_prober(self, home: Home) -> Prober:
        async def run(command: Sequence[str], timeout_s: float) -> tuple[int, str]:
            return await self.run_inside(home, command, timeout_s)

        def failed(probe: Probe, why: str) -> None:
            message = f"{probe.kind.capitalize()} probe failed: {why}"
            home.node.events.say(home.pod.metadata, "Warning", "Unhealthy", message)

        before = self.inherited.pop(self._probed_attempt, None)
        return Prober(self.container, home.sandbox.address, run, self._wake, failed, before=before)

    async def stop(self, home: Home, grace_s: float) -> None:
        """SIGTERM, and SIGKILL to everything in the container when it still runs after `grace_s`."""
        name = self.container.name
        state = home.shim.states.get(name)
        if state is None or state["finished_at"] is not None:
            return
        deadline = time.monotonic() + grace_s
        if grace_s > 0:
            await home.shim.ask({"op": "signal", "container": name, "signal": 15})
        while home.shim.states[name]["finished_at"] is None and not home.shim.gone.is_set():
            if time.monotonic() >= deadline:
                cgroup.kill(home.sandbox.group / name)
            await pause(0.02)

    async def run_inside(self, home: Home, command: Sequence[str], timeout_s: float) -> tuple[int, str]:
        """Run a program in the container; exit code and output. Raises TimeoutError, LabError."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        order = await self.execution_order(home, command)
        try:
            execution = await home.shim.execute(order, [nothing, writing, writing])
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(nothing)
            os.close(writing)
        try:
            async with asyncio.timeout(timeout_s):
                output = await read_output(reading)
                return await execution.wait(), output
        except TimeoutError:
            await execution.kill()
            raise

    async def execution_order(
        self, home: Home, command: Sequence[str], *, tty: bool = False
    ) -> dict[str, Any]:
        """What the shim needs to run a program beside the container's own. Raises ConfigError."""
        image = home.node.estate.images.get(self.container.image)
        env = await self._environment(home, image.path if image else ())
        return {
            "container": self.container.name,
            "argv": list(command),
            "env": env,
            "cwd": self.container.working_dir,
            "user": self.container.user,
            "group": self.container.group,
            "privileged": self.container.privileged,
            "cgroup": self._group(home.sandbox),
            "tty": tty,
        }

    def view(self, pod: PodSpec, shim: ShimClient | None) -> View:
        """For the pod's status."""
        state = self.state(shim)
        health = self._prober.health if self._prober else None
        running = state is not None and state["finished_at"] is None
        return View(
            container=self.container,
            state=state,
            waiting=self._waiting,
            ready=bool(running and health and health.ready),
            started=bool(running and health and health.started),
            will_restart=state is not None and not running and self._restarts(pod, state),
        )

    def close(self) -> None:
        """Stop probing."""
        if self._prober is not None:
            self._prober.close()
            self._prober = None
            self._probed_attempt = -1


def _identity(home: Home, container: Container) -> Identity:
    pod, zone = home.pod, home.node.zone
    services = f"{pod.namespace}.svc.cluster.local"
    domain = f"{pod.hostname}.{pod.subdomain}.{services}" if pod.subdomain else ""
    return Identity(
        hostname=home.sandbox.hostname,
        domain=domain,
        address=home.sandbox.address,
        user=container.user,
        group=container.group,
        nameserver=zone.address,
        search=(services, "svc.cluster.local", "cluster.local"),
    )
