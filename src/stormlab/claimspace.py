"""Where the lab's persistent volumes lie: in memory, so that they wait for no other user of the machine's disk.

Three databases and four etcd members that in an estate have seven disks would share one here, and a commit of any
of them would wait for whatever else is flushed: a git commit beside a drill held all payments for 1.4 s. What a
process flushed outlives the process as on a disk; it does not outlive the machine, nor does the lab.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from stormlab import oplock
from stormlab.errors import LabError
from stormlab.inventory import Inventory

DIRECTORY = "volumes"
SIZE_MB = 4096
"""The most that all volumes together may take; they take what is written to them."""


def make(state: Path, inventory: Inventory) -> None:
    """Mount the space, recorded first; nothing to do when it is mounted. Raises LabError when that fails.

    A lab whose volumes lie on the disk already keeps them there: a mount would hide them from its pods.
    """
    place = state / DIRECTORY
    place.mkdir(exist_ok=True)
    if os.path.ismount(place) or any(place.iterdir()):
        return
    inventory.add("mount", place)
    argv = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0755,nosuid,nodev", "stormlab", str(place)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, pass_fds=oplock.descriptors())
    if done.returncode != 0:
        raise LabError(f"{place}: {done.stderr.strip()}")
