"""A network with a fake API in the far place and a real agent on the node."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import network

NODE = "node-1"


class Api:
    """The fake API server in a place, for one test after another."""

    def __init__(self, place):
        argv = [*place.enter(), sys.executable, "-I", "-S", str(Path(__file__).with_name("fake_api.py"))]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*argv, network.FAR], stdin=pipe, stdout=pipe, text=True)
        self.pid = self.process.pid
        self.port = int(self.process.stdout.readline())

    def say(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.communicate()


class Rig:
    def __init__(self, directory, places, api, agents):
        self.node, self.pod, self.far = places
        self.directory = directory
        self.state = directory / "state"
        self.api, self.api_port = api, api.port
        self.agents = agents
        self.path = os.environ["PATH"]
        self.agent = None

    # The API

    def say(self, **command):
        return self.api.say(**command)

    def put(self, name="cut", *, kind="partition", desired="applied", lease_s=30, renewal=1, uid="", **more):
        target = {"node": NODE, "zone": "a", "inside": network.INSIDE, **more.pop("target", {})}
        spec = {
            "kind": kind, "holder": "me", "desired": desired, "leaseSeconds": lease_s, "renewal": renewal,
            "targets": [target], **more,
        }  # fmt: skip
        self.say(put={"metadata": {"name": name, "uid": uid or f"uid-of-{name}"}, "spec": spec})

    def status(self, name="cut"):
        return ((self.say(get=name) or {}).get("status") or {}).get("nodes", {}).get(NODE, {})

    def until(self, state, name="cut", within_s=20.0):
        """The node's status once it says that it is in this state."""
        found = eventually(lambda: (s := self.status(name)).get("state") == state and s, within_s)
        assert found, f"not {state}: {self.status(name)}; the agent said: {self.said()}"
        return found

    # The agent

    def start(self, *arguments):
        server = f"http://{network.FAR}:{self.api_port}"
        config = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": server}}],
            "users": [{"name": "it", "user": {"token": "secret"}}],
        }
        file = self.directory / "kubeconfig"
        file.write_text(json.dumps(config))
        argv = ["agent", "--node", NODE, "--state", str(self.state), "--kubeconfig", str(file)]
        argv += ["--listen", "127.0.0.1:7402", *arguments]
        environment = {**os.environ, "PATH": self.path}
        self.agent = self.agents.start(argv, self.node, environment, self.directory / "agent.log")
        return self

    def nft(self, script):
        """Let the agent find a script as its `nft`; the real one follows in $PATH."""
        directory = self.directory / "bin"
        directory.mkdir(exist_ok=True)
        (directory / "nft").write_text(f'#!/bin/sh\nPATH="${{PATH#*:}}"\n{script}\n')
        (directory / "nft").chmod(0o755)
        if str(directory) not in self.path:
            self.path = f"{directory}:{self.path}"

    def ready(self):
        """Wait until the agent watches."""
        assert eventually(self.watches, 15.0), self.said()
        return self

    def watches(self):
        assert self.agent.poll() is None, self.said()
        lines = self.page("/metrics").splitlines()
        return any("contact_age" in line and line[-1].isdigit() for line in lines)

    def page(self, path):
        with self.node.socket() as client:
            client.settimeout(2.0)
            try:
                client.connect(("127.0.0.1", 7402))
                client.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                parts = []
                while part := client.recv(65536):
                    parts.append(part)
                return b"".join(parts).decode()
            except (ConnectionError, TimeoutError):
                return ""

    def kill(self):
        self.agent.kill()
        self.agent.wait()

    def died(self, within_s=20.0):
        self.agent.wait(within_s)

    def terminate(self):
        self.agent.terminate()
        assert self.agent.wait(10) == 0, self.said()

    def said(self):
        return (self.directory / "agent.log").read_text()

    def tables(self):
        """Tables of faults in the node's namespace."""
        listed = self.node.run("nft", "list", "tables").split("\n")
        names = [line.split()[-1] for line in listed if line]
        return [name for name in names if name.startswith("stormdrill-") and name != "stormdrill-agent"]

    def records(self):
        return [file.stem for file in (self.state / "faults").glob("*.json")]

    def close(self):
        if self.agent is not None and self.agent.poll() is None:
            self.kill()
        os.kill(self.api.pid, signal.SIGCONT)
        self.say(reset=True)


def eventually(condition, within_s=20.0):
    """The condition's value once it is true, or its last."""
    end = time.monotonic() + within_s
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value
