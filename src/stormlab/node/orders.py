"""What a pod's shim is told: to start a container, or to run a program beside it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from stormlab import cgrouplimits
from stormlab.capabilities import NUMBERS
from stormlab.cgrouplimits import Held, Limits
from stormlab.errors import LabError
from stormlab.estate import Image
from stormlab.node import credentials
from stormlab.node.downward import ConfigError
from stormlab.node.environment import api_variables, environment, expand
from stormlab.node.home import Home
from stormlab.node.podspec import Container
from stormlab.node.probe import read_output
from stormlab.node.projection import VolumeError
from stormlab.node.volumes import disk_of, mounts, prepare
from stormlab.pod.rootfs import Identity, plan
from stormlab.quantity import quantity, whole

Order = dict[str, Any]


class CannotStartError(LabError):
    """Why a container waits for something; `reason` as its status names it."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason


async def start(home: Home, container: Container, attempt: int) -> Order:
    """The order to start a container. Raises CannotStartError, OSError."""
    image = _image(home, container)
    if not container.command:
        raise CannotStartError("CreateContainerError", "no command specified")
    if container.non_root and not container.user:
        why = "container has runAsNonRoot and image will run as root"
        raise CannotStartError("CreateContainerConfigError", why)
    try:
        return await _start(home, container, image, attempt)
    except ConfigError as error:
        raise CannotStartError("CreateContainerConfigError", str(error)) from error
    except VolumeError as error:
        raise CannotStartError("CreateContainerError", str(error)) from error


def _image(home: Home, container: Container) -> Image:
    found = home.node.estate.images.get(container.image)
    if found is None and container.never_pulled:
        why = f'Container image "{container.image}" is not present with pull policy of Never'
        raise CannotStartError("ErrImageNeverPull", why)
    if found is None:
        known = ", ".join(home.node.estate.images)
        why = f"no image '{container.image}' in this lab (known: {known})"
        raise CannotStartError("ErrImagePull", why)
    return found


async def _start(home: Home, container: Container, image: Image, attempt: int) -> Order:
    node, pod = home.node, home.pod
    directory = node.pod_directory(pod.uid)
    volumes = await prepare(pod, home.store, home.sources)
    seen = mounts(container, volumes, pod)
    if not any(mount.path == credentials.PLACE for mount in container.mounts):
        seen += await credentials.mounts(pod, directory, node.state / "pki", home.objects)
    env = await _environment(home, container, image.path)
    held = limit(home, container, disk_of(container, volumes))
    return {
        **_common(home, container, env, held, image),
        "attempt": attempt,
        "argv": [expand(word, env) for word in container.command],
        "read_only": container.read_only_root,
        "kills": held.kills,
        "root": str(directory / "root"),
        "steps": plan(_identity(home, container), seen, image.path),
    }


async def execution(home: Home, container: Container, command: Sequence[str], *, tty: bool = False) -> Order:
    """The order to run a program beside the container's own. Raises ConfigError, OSError."""
    image = home.node.estate.images.get(container.image)
    env = await _environment(home, container, image.path if image else ())
    held = cgrouplimits.place(home.sandbox.limited, container.name, limits_of(container))
    return {**_common(home, container, env, held, image), "argv": list(command), "tty": tty}


async def run(home: Home, container: Container, command: Sequence[str], timeout_s: float) -> tuple[int, str]:
    """Run a program in the container; exit code and output. Raises TimeoutError, LabError."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    try:
        order = await execution(home, container, command)
        executed = await home.shim.execute(order, [nothing, writing, writing])
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(nothing)
        os.close(writing)
    try:
        async with asyncio.timeout(timeout_s):
            output = await read_output(reading)
            return await executed.wait(), output
    except (TimeoutError, asyncio.CancelledError):
        await executed.kill()
        raise


def limits_of(container: Container) -> Limits:
    """The limits that the container states."""
    cpu, memory = container.limits.get("cpu"), container.limits.get("memory")
    return Limits(None if cpu is None else quantity(cpu), None if memory is None else whole(memory))


def limit(home: Home, container: Container, disk: int) -> Held:
    """Hold the container to its limits, and say so where this machine cannot.

    What it writes to `disk` bytes of volumes is memory here and a disk elsewhere: that comes on top of its own limit.
    """
    stated = limits_of(container)
    memory = None if stated.memory is None else stated.memory + disk
    held = cgrouplimits.hold(home.sandbox.limited, container.name, Limits(stated.cpu, memory))
    for name in held.missing:
        why = (
            f"no control group of this machine holds {name}: container {container.name} is without that limit"
        )
        home.say("Warning", "LimitNotHeld", why)
    return held


def _common(home: Home, container: Container, env: dict[str, str], held: Held, image: Image | None) -> Order:
    return {
        "container": container.name,
        "env": env,
        "cwd": container.working_dir,
        "user": container.user,
        "group": container.group,
        "capabilities": None if container.privileged else _capabilities(container),
        "cgroup": f"{home.sandbox.cgroup}/{container.name}",
        "groups": list(held.groups),
        "reserves": image is None or image.reserves,
    }


def _capabilities(container: Container) -> list[int]:
    dropped = set(NUMBERS) if "ALL" in container.capabilities_dropped else set(container.capabilities_dropped)
    return sorted(NUMBERS[name] for name in NUMBERS.keys() - dropped | set(container.capabilities_added))


async def _environment(home: Home, container: Container, image_path: Sequence[str]) -> dict[str, str]:
    """All variables; the way to the API first, which a pod may set otherwise. Raises ConfigError."""
    node = home.node
    addresses = {"podIP": home.sandbox.address, "hostIP": node.zone.address}
    way = api_variables(node.estate.outside.address, node.region.api_port)
    return await environment(container, home.pod, addresses, image_path, home.objects, given=way)


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
        aliases=tuple(
            (alias["ip"], *alias.get("hostnames", ())) for alias in pod.spec.get("hostAliases") or ()
        ),
    )
