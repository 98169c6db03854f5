"""A lab of two zones and a remote one: real namespaces, relay, APIs and nodes, under a name of its own."""

import contextlib
import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import websocket

from stormlab import cgroup, claimspace, pki, process, topologyfile
from stormlab.errors import LabError
from stormlab.inventory import Inventory
from stormlab.net import netns
from stormlab.net.control import ask
from stormlab.net.relay import SOCKET
from stormlab.net.setup import setup
from stormlab.process import ProcessId
from stormlab.teardown import teardown
from stormlab.wait import until

NAME = "ha"
# The same every time: what a killed test run left there is found and taken down by the next.
STATES = Path("/var/lib/stormlab-tests")
TOPOLOGY = """\
name: {name}
regions:
  city1: {{zones: [city1-a, city1-b]}}
  city2: {{zones: [city2-a]}}
links:
  within_region: {{rtt: 1ms}}
  between_regions: {{rtt: 30ms}}
  outside: {{rtt: 2ms}}
lab:
  network: 10.77.0.0/16
  images: {{"stormbank:dev": {{}}}}
  api_ports: {{city1: {port1}, city2: {port2}}}
  kubelet: {{max_container_restart_period: 2s}}
"""


class MachineLab:
    """Daemons one by one, and the API of `city1` by plain HTTPS."""

    def __init__(self, directory: Path, name: str = NAME) -> None:
        path = directory / "topology.yaml"
        path.write_text(TOPOLOGY.format(name=name, port1=free_port(), port2=free_port()))
        self.estate = topologyfile.load(path)
        self.state = STATES / name
        self.inventory = Inventory(self.state)

    def prepare(self) -> None:
        topologyfile.keep(self.estate, self.state)
        cgroup.make_lab(self.inventory, self.estate.cgroup, [zone.name for zone in self.estate.zones])
        claimspace.make(self.state, self.inventory)
        setup(self.estate, self.inventory)
        pki.ensure(self.state, [region.name for region in self.estate.regions])

    def start(self, name: str, *arguments: str) -> ProcessId:
        role = name.split("-", maxsplit=1)[0]
        argv = [sys.executable, "-m", "stormlab", role, "--state", str(self.state), *arguments]
        return process.start(self.inventory, name, argv, self.state / "logs" / f"{name}.log")

    def start_relay(self) -> ProcessId:
        started = self.start("relay")
        until(lambda: quiet(lambda: self.relay({"get": True})), "relay", 5)
        return started

    def start_api(self, region: str) -> ProcessId:
        started = self.start(f"api-{region}", "--region", region)
        until(lambda: quiet(lambda: self.call("GET", "/readyz", region=region)), f"api {region}", 10)
        return started

    def start_node(self, zone: str) -> ProcessId:
        return self.start(f"node-{zone}", "--zone", zone)

    def relay(self, request: dict) -> dict:
        return ask(self.state / SOCKET, request)

    def call(
        self,
        method: str,
        path: str,
        body: dict | None = None,
        region: str = "city1",
        patch: str = "",
        *,
        plain: bool = False,
    ):
        port = self.estate.region(region).api_port
        content = f"application/{patch or 'json'}{'-patch+json' if patch else ''}"
        headers = {"Authorization": f"Bearer {pki.token(self.state, 'admin')}", "Content-Type": content}
        data = None if body is None else json.dumps(body).encode()
        url = f"https://127.0.0.1:{port}{path}"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        context = ssl.create_default_context(cafile=str(self.state / "pki" / "ca.crt"))
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") and not plain else text

    # Pods of the default namespace.

    def run(
        self, name: str, zone: str, *command: str, ready: bool = True, region: str = "city1", **spec
    ) -> dict:
        """Create a pod bound to a zone; keys of its container in `container`."""
        container = {
            "name": "c",
            "image": "stormbank:dev",
            "command": list(command),
            **spec.pop("container", {}),
        }
        metadata = {"name": name, "labels": {"pod": name}}
        body = {"metadata": metadata, "spec": {"nodeName": zone, "containers": [container], **spec}}
        made = self.call("POST", "/api/v1/namespaces/default/pods", body, region)
        if not ready:
            return made
        return until(lambda: self._ready(name, region), f"{name} ready", 15)

    def pod(self, name: str, region: str = "city1") -> dict | None:
        try:
            return self.call("GET", f"/api/v1/namespaces/default/pods/{name}", region=region)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def _ready(self, name: str, region: str) -> dict | None:
        found = self.pod(name, region)
        assert found is not None, f"pod {name} is gone"
        return found if condition(found, "Ready") else None

    def delete(self, name: str, grace_s: int = 0, region: str = "city1") -> None:
        path = f"/api/v1/namespaces/default/pods/{name}?gracePeriodSeconds={grace_s}"
        self.call("DELETE", path, region=region)

    @staticmethod
    def condition(pod: dict, kind: str) -> bool:
        return condition(pod, kind)

    def container(self, name: str) -> dict:
        """Status of the pod's one container, empty before there is any."""
        return (self.status(name).get("containerStatuses") or [{}])[0]

    def version(self) -> str:
        """What of the region's pods is newest now."""
        return self.call("GET", "/api/v1/namespaces/default/pods")["metadata"]["resourceVersion"]

    def states(self, name: str, since: str) -> list[tuple[str, dict]]:
        """What the status has said of the container since that version, in order, without repetitions."""
        query = f"watch=1&timeoutSeconds=1&resourceVersion={since}&fieldSelector=metadata.name%3D{name}"
        told = self.call("GET", f"/api/v1/namespaces/default/pods?{query}", plain=True)
        found = []
        for line in told.splitlines():
            for status in json.loads(line)["object"]["status"].get("containerStatuses") or ():
                if (state := next(iter(status["state"].items()))) not in found[-1:]:
                    found.append(state)
        return found

    def ended(self, name: str, since: str) -> dict | None:
        """How its first run since that version ended, as `state` and not only a later `lastState` said."""
        return next((state for kind, state in self.states(name, since) if kind == "terminated"), None)

    def status(self, name: str) -> dict:
        return self.pod(name)["status"]

    def log(self, name: str, query: str = "") -> str:
        return self.call("GET", f"/api/v1/namespaces/default/pods/{name}/log?{query}")

    def execute(self, name: str, *command: str, stdin: bytes = b"", region: str = "city1", tty: bool = False):
        """Run a command as `kubectl exec` does: exit code, output, error output."""
        token = pki.token(self.state, "admin")
        query = [("command", word) for word in command] + [("stdout", "1"), ("container", "c")]
        query += [("tty", "1")] if tty else [("stderr", "1")]
        query += [("stdin", "1")] if stdin else []
        port = self.estate.region(region).api_port
        path = f"/api/v1/namespaces/default/pods/{name}/exec?{urllib.parse.urlencode(query)}"
        stream = websocket.create_connection(
            f"wss://127.0.0.1:{port}{path}",
            header=[f"Authorization: Bearer {token}"],
            subprotocols=["v4.channel.k8s.io"],
            sslopt={"ca_certs": str(self.state / "pki" / "ca.crt")},
            timeout=20,
        )
        if stdin:
            stream.send_binary(b"\0" + stdin)
        said = {1: b"", 2: b"", 3: b""}
        while 3 not in said or not said[3]:
            data = stream.recv()
            said[data[0]] += data[1:]
        stream.close()
        end = json.loads(said[3])
        if end["status"] == "Success":
            return 0, said[1].decode(), said[2].decode()
        causes = end.get("details", {}).get("causes", [])
        return int(causes[0]["message"]) if causes else end["message"], said[1].decode(), said[2].decode()

    def group(self, pod: dict) -> Path:
        return cgroup.pod_path(self.estate.cgroup, pod["spec"]["nodeName"], pod["metadata"]["uid"])

    def processes(self, pod: dict) -> list[ProcessId]:
        found = [ProcessId.of(pid) for pid in cgroup.processes(self.group(pod))]
        return [one for one in found if one is not None]

    def in_zone(self, zone: str, work):
        """Run `work` in a site's namespace."""
        sites = {site.name: site for site in self.estate.sites}
        return netns.within(sites[zone].netns, work)


def condition(pod: dict, kind: str) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def quiet(work):
    try:
        return work()
    except (OSError, LabError, ValueError):
        return None


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """Namespaces and relay, nothing else."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces, TUN devices, control groups")
    lab = MachineLab(tmp_path_factory.mktemp("machine"))
    assert teardown(lab.inventory) == []
    try:
        lab.prepare()
        lab.start_relay()
        yield lab
    finally:
        left = teardown(lab.inventory)
        with contextlib.suppress(OSError):  # another lab is still there
            STATES.rmdir()
    assert left == []


@pytest.fixture(scope="session")
def machine(network):
    """The whole: both APIs and all nodes, registered."""
    lab = network
    for region in lab.estate.regions:
        lab.start_api(region.name)
    for zone in lab.estate.zones:
        lab.start_node(zone.name)
    for zone in lab.estate.zones:
        path = f"/api/v1/nodes/{zone.name}"
        until(lambda p=path, r=zone.region: ready_node(lab, p, r), f"node {zone.name}", 15)
    return lab


def ready_node(lab: MachineLab, path: str, region: str) -> bool:
    try:
        return condition(lab.call("GET", path, region=region), "Ready")
    except urllib.error.HTTPError:
        return False


@pytest.fixture
def another(tmp_path):
    """A second lab beside the shared one, with nothing started; torn down whatever happens."""
    lab = MachineLab(tmp_path, "ha2")
    assert teardown(lab.inventory) == []
    yield lab
    teardown(lab.inventory)


@pytest.fixture
def named(request, machine):
    """A name for the test's pod, which is gone when the test is over."""
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[:50].rstrip("-")
    yield name
    for region in ("city1", "city2"):
        if machine.pod(name, region) is not None:
            machine.delete(name, region=region)
            until(lambda r=region: machine.pod(name, r) is None, f"{name} gone", 5)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With a failure: what the lab's processes said last, for its directory is gone when the session ends."""
    report = yield
    if report.failed:
        for log in sorted((STATES / NAME / "logs").glob("*.log")):
            report.sections.append((log.name, log.read_text(encoding="utf-8", errors="replace")[-4000:]))
    return report
