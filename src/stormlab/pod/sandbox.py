"""A pod's place on this machine, made and removed by the node process: group, namespace, address, shim."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import stormlab
from stormlab import cgroup, claimspace, cpuweight
from stormlab.cgrouplimits import Places
from stormlab.errors import LabError
from stormlab.estate import Zone
from stormlab.inventory import Inventory
from stormlab.net import veth

_SOURCE = str(Path(stormlab.__file__).resolve().parent.parent)
_BOOT = f"import sys; sys.path.insert(0, {_SOURCE!r}); from stormlab.pod.shim import main; main()"
_START_S = 20.0
FILE = "sandbox.json"


@dataclass(frozen=True)
class Sandbox:
    """What the shim is told, kept in `sandbox.json` of the pod's directory."""

    uid: str
    namespace: str
    name: str
    zone: str
    hostname: str
    address: str
    netns: str
    """Network namespace the pod lives in: its own, or the zone's for hostNetwork."""
    own_network: bool
    cgroup: str
    cpu_cgroup: str
    """The pod's group of the v1 `cpu` hierarchy, empty where there is none and the v2 group is weighed."""
    host_pid: bool = False
    """Whether it sees the machine's processes instead of its own only."""
    memory_cgroup: str = ""
    """The pod's group of the v1 `memory` hierarchy, empty where there is none; made for a container with a limit."""

    @property
    def group(self) -> Path:
        """The pod's v2 control group."""
        return Path(self.cgroup)

    @property
    def weighed(self) -> Path:
        """The group that says what the pod weighs among others."""
        return Path(self.cpu_cgroup or self.cgroup)

    @property
    def limited(self) -> Places:
        """The groups below which its containers are limited."""
        cpu, memory = (Path(path) if path else None for path in (self.cpu_cgroup, self.memory_cgroup))
        return Places(self.group, cpu, memory)


def load(directory: Path) -> Sandbox | None:
    """The sandbox a pod's directory describes, None when it never got that far."""
    try:
        return Sandbox(**json.loads((directory / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


async def create(sandbox: Sandbox, directory: Path, zone: Zone, inventory: Inventory) -> None:
    """Make everything a pod lives in and start its shim. Raises LabError when the machine refuses.

    Each thing is recorded before it is made; what is left of a failed attempt is removed by `remove`.
    """
    await asyncio.to_thread(_prepare, sandbox, directory, zone, inventory)
    with (directory / "shim.log").open("ab") as log:
        shim = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _BOOT, str(directory), str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        code = await asyncio.wait_for(shim.wait(), _START_S)
    except TimeoutError as error:
        shim.kill()
        raise LabError(f"the pod's first process did not come up within {_START_S:g} s") from error
    if code != 0:
        said = (directory / "shim.log").read_text(encoding="utf-8", errors="replace").strip()
        raise LabError(f"the pod's first process failed: {said.splitlines()[-1] if said else code}")


def _prepare(sandbox: Sandbox, directory: Path, zone: Zone, inventory: Inventory) -> None:
    inventory.add("dir", directory, f"pod {sandbox.namespace}/{sandbox.name}")
    # Not for others: secrets lie here, and who may write to the shim's socket may do anything.
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "root").mkdir(exist_ok=True)
    _write(directory / FILE, json.dumps(asdict(sandbox)))
    if sandbox.own_network:
        inventory.add("netns", sandbox.netns, f"pod {sandbox.namespace}/{sandbox.name}")
        veth.connect(zone, sandbox.netns, sandbox.uid, sandbox.address)
    # Below the lab's groups, which are on record.
    sandbox.group.mkdir(parents=True, exist_ok=True)
    sandbox.weighed.mkdir(exist_ok=True)
    cpuweight.starts(sandbox.weighed)
    (directory / "shim.sock").unlink(missing_ok=True)


def serve(sandbox: Sandbox) -> None:
    """The pod is ready: it weighs as much as others that serve."""
    cpuweight.serves(sandbox.weighed)


def kill(sandbox: Sandbox) -> None:
    """SIGKILL every process of the pod, at once."""
    cgroup.kill(sandbox.group)


async def remove(
    sandbox: Sandbox, directory: Path, zone: Zone, inventory: Inventory, *, keep_files: bool = False
) -> None:
    """Kill what is left of the pod and remove what `create` made. Harmless when repeated.

    Raises LabError when a process survives SIGKILL (it sits in the kernel): the pod is not gone then.
    """
    kill(sandbox)
    if not await asyncio.to_thread(cgroup.wait_empty, sandbox.group, 10.0):
        raise LabError(f"processes {cgroup.processes(sandbox.group)} do not die")
    if sandbox.own_network:
        await asyncio.to_thread(veth.disconnect, zone, sandbox.netns, sandbox.uid)
        inventory.gone("netns", sandbox.netns)
    cgroup.remove(sandbox.group)
    for path in (sandbox.limited.cpu, sandbox.limited.memory):
        if path is not None:
            cgroup.remove(path)
    if not keep_files:
        # Before the directory, by which a node that starts anew finds what is left.
        await asyncio.to_thread(claimspace.remove_of_pod, inventory.state, sandbox.uid, inventory)
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
        inventory.gone("dir", directory)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
