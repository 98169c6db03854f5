"""Removing a lab: exactly what its inventory lists, in any state a SIGKILL left it, as often as asked.

A removal that has begun is noted first, and the note goes last: what is left of a lab is no lab to go on with.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from stormlab import cgroup, oplock, topologyfile
from stormlab.errors import LabError
from stormlab.inventory import Inventory, Item, Kind, boot_id
from stormlab.net import netns
from stormlab.process import ProcessId, stop
from stormlab.wait import WaitTimeoutError, until

_EMPTY_S = 5.0
_BEGUN = "teardown.begun"


def teardown(inventory: Inventory) -> list[str]:
    """Kill, unmount and remove everything recorded, then the state directory itself.

    Returns one line for each thing that could not be removed (and stays recorded); empty is success.
    Raises LabError when the directory is not empty and not a lab's.
    """
    if not _is_lab(inventory):
        raise LabError(f"{inventory.state} is not the directory of a lab: nothing was removed")
    with contextlib.suppress(OSError):  # no directory, or a full disk, which must not keep a lab up
        (inventory.state / _BEGUN).touch()
    left = _processes(inventory)
    left += _cgroups(inventory)
    left += _mounts(inventory)
    left += _namespaces(inventory)
    if left:
        return left
    left += _paths(inventory)
    return left or _state(inventory)


def unfinished(state: Path) -> bool:
    """Whether a removal of this lab began and did not come to its end."""
    return (state / _BEGUN).exists()


def _is_lab(inventory: Inventory) -> bool:
    """Whether a lab lives or lived here, or is about to: what else there is belongs to somebody else."""
    state = inventory.state
    known = any((state / sign).exists() for sign in (inventory.path.name, _BEGUN, topologyfile.ORIGIN))
    return known or not state.exists() or not any(state.iterdir())


def _state(inventory: Inventory) -> list[str]:
    """Remove the directory itself, inventory and note last: without them a second call would not touch the rest."""
    state = inventory.state
    for path in _others(inventory):
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    left = _others(inventory)
    if not left:
        inventory.path.unlink(missing_ok=True)
        _remove_tree(state)
        left = [state] if state.exists() else []
    return [f"{path} could not be removed" for path in left]


def _others(inventory: Inventory) -> list[Path]:
    """What is in the state directory beside the inventory and the note that it is being removed."""
    kept = {inventory.path.name, _BEGUN}
    with contextlib.suppress(FileNotFoundError):
        return [path for path in inventory.state.iterdir() if path.name not in kept]
    return []


def _gone(inventory: Inventory, kind: Kind, name: str) -> None:
    """Record a removal, if the disk has room: removing twice is harmless, a full disk must not keep a lab up."""
    with contextlib.suppress(OSError):
        inventory.gone(kind, name)


def _current(inventory: Inventory, item: Item) -> bool:
    """Whether it can still exist: nothing but files survives a reboot."""
    if item.boot and item.boot != boot_id():
        _gone(inventory, item.kind, item.name)
        return False
    return True


def _processes(inventory: Inventory) -> list[str]:
    items = [item for item in inventory.of_kind("process") if _current(inventory, item)]
    stubborn = {str(process) for process in stop([ProcessId.parse(item.name) for item in items], grace_s=0)}
    for item in items:
        if item.name not in stubborn:
            _gone(inventory, "process", item.name)
    return [f"process {item.note} {item.name} does not die" for item in items if item.name in stubborn]


def _cgroups(inventory: Inventory) -> list[str]:
    items = [item for item in inventory.of_kind("cgroup") if _current(inventory, item)]
    paths = {item.name: Path(item.name) for item in items}
    left = []
    for item in items:
        try:
            until(lambda name=item.name: _removed(paths[name], paths.values()), "removed", _EMPTY_S)  # type: ignore[misc]
            _gone(inventory, "cgroup", item.name)
        except WaitTimeoutError:
            left.append(f"cgroup {item.name} still holds processes {cgroup.processes(paths[item.name])}")
    return left


def _removed(path: Path, all_paths: Iterable[Path]) -> bool:
    """Kill and remove; asked again, because a pod may have been on its way into its group.

    All groups are killed each time: one of v1 has no kill file, its processes die through v2.
    """
    for each in all_paths:
        cgroup.kill(each)
    cgroup.wait_empty(path, _EMPTY_S)
    return cgroup.remove(path)


def _mounts(inventory: Inventory) -> list[str]:
    left = []
    for item in reversed(inventory.of_kind("mount")):
        while os.path.ismount(item.name):
            argv = ["umount", "--lazy", item.name]
            done = subprocess.run(
                argv, capture_output=True, text=True, check=False, pass_fds=oplock.descriptors()
            )
            if done.returncode != 0:
                left.append(f"mount {item.name}: {done.stderr.strip()}")
                break
        else:
            _gone(inventory, "mount", item.name)
    return left


def _namespaces(inventory: Inventory) -> list[str]:
    left = []
    for item in reversed(inventory.of_kind("netns")):
        error = netns.delete(item.name)
        if error:
            left.append(f"namespace {item.name}: {error}")
        else:
            _gone(inventory, "netns", item.name)
    return left


def _paths(inventory: Inventory) -> list[str]:
    left = []
    for item in reversed([*inventory.of_kind("dir"), *inventory.of_kind("file")]):
        path = Path(item.name)
        if item.kind == "dir":
            _remove_tree(path)
        else:
            path.unlink(missing_ok=True)
        if path.exists():
            left.append(f"{item.kind} {path} could not be removed")
        else:
            _gone(inventory, item.kind, item.name)
    return left


def _remove_tree(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path, ignore_errors=True)
