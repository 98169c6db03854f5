"""A lab of one zone, small enough to be made and removed many times, under a name and on ports of its own."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.lab.leftovers import leftovers_of

from stormlab import cgroup
from stormlab.inventory import Inventory
from stormlab.process import ProcessId

TOPOLOGY = Path(__file__).parent / "topology.yaml"
# The same every time: what a killed test run left there is found and taken down by the next.
STATES = Path("/var/lib/stormlab-tests")
PAGE = b"# TYPE tiny_up gauge\ntiny_up 1\n"
_COMMAND_S = 120


class TinyLab:
    """The lab of `topology`, or one like it called `name`, its ports `shifted` by so many."""

    def __init__(self, topology=TOPOLOGY, name="tiny", shifted=0):
        self.topology, self.name, self._shifted = topology, name, shifted
        self.state = STATES / name
        self.environment = {**os.environ, "STORMLAB_STATE": str(STATES)}

    @classmethod
    def beside(cls, directory, name, shifted):
        """Another one of the same kind; its topology file goes into `directory`."""
        text = re.sub(r"\b2[689]\d{3}\b", lambda port: str(int(port[0]) + shifted), TOPOLOGY.read_text())
        topology = directory / "topology.yaml"
        topology.write_text(text.replace("name: tiny\n", f"name: {name}\n"))
        for part in ("kubernetes", "prometheus.yml.j2"):
            (directory / part).symlink_to(TOPOLOGY.parent / part)
        return cls(topology, name, shifted)

    def start(self, command, *arguments):
        argv = [sys.executable, "-m", "stormlab", command, "--topology", str(self.topology), *arguments]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def run(self, command, *arguments):
        process = self.start(command, *arguments)
        out, err = process.communicate(timeout=_COMMAND_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def up(self):
        done = self.run("up", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def down(self):
        done = self.run("down")
        assert done.returncode == 0, done.stderr
        assert self.leftovers() == []

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def leftovers(self):
        return leftovers_of(self.name, self.state)

    def get(self, port, path="/metrics"):
        """What a forward answers; `port` as in the file."""
        connection = http.client.HTTPConnection("127.0.0.1", port + self._shifted, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read()

    def answer(self):
        """The page of its web pods."""
        return self.get(28490)

    def daemons(self):
        """Processes of the lab itself that run, by name."""
        found = {item.note: ProcessId.parse(item.name) for item in Inventory(self.state).of_kind("process")}
        return {name: process for name, process in found.items() if process.alive}

    def inside(self):
        """Processes in its pods: shims, and what runs in containers."""
        shims, contained = [], []
        for procs in (cgroup.v2_root() / f"stormlab-{self.name}").rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found = [ProcessId.of(int(pid)) for pid in procs.read_text().split()]
                (shims if procs.parent.name == "sandbox" else contained).extend(filter(None, found))
        return shims, contained
