"""A fake estate as its own process, and clients that talk to it over the wire."""

import json
import random
import tempfile
from pathlib import Path

import pytest
import urllib3
from tests.forking import Nursery

from stormdrill import topology as topology_file
from stormdrill.cli import main
from stormdrill.direct.patroni import PatroniDirector
from stormdrill.drill.connect import canaries_of
from stormdrill.faults import Estate
from stormdrill.kube import Cluster
from stormdrill.prometheus import Prometheus

from .whole import Whole

HERE = Path(__file__).parent

TOPOLOGY = """\
schema: stormdrill.topology/1
name: shop
environment: lab
namespace: shop
regions:
  east: {{context: east, zones: [z1, z2, z3]}}
edges: {{e1: "http://127.0.0.1:{bank}"}}
prometheus: {{url: "http://127.0.0.1:{estate}", max_age: 5s, timeout: 2s}}
services:
  web: {{selector: {{app: web}}, type: flow}}
  db: {{selector: {{app: db}}, type: account, container: db}}
operations:
  login: {{tier: A1, kind: read, deadline: 2s}}
  balance: {{tier: A2, kind: read, deadline: 2s}}
  transfer: {{tier: A1, kind: write, deadline: 2s}}
cells: {{main: {{}}}}
databases:
  main:
    kind: patroni
    service: db
    members:
      db-0: http://127.0.0.1:{estate}/members/db-0
      db-1: http://127.0.0.1:{estate}/members/db-1
    crash: [crash, it]
idempotency: {{header: Idempotency-Key, amount_field: amount, target_field: to}}
audit: {{kind: none, why: a fake has no books}}
canaries: {{}}
continuity: continuity.yaml
lock: {{namespace: shop, name: drill}}
"""

CONTINUITY = """\
schema: stormdrill.continuity/1
fault_classes:
  pod-loss:
    title: Pods lost
    tiers:
      A: {recovery_time: "5s [U] our choice", hurt: "1% [U] our choice"}
"""

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: east, cluster: {{server: "http://127.0.0.1:{estate}"}}}}]
users: [{{name: east, user: {{token: t}}}}]
contexts: [{{name: east, context: {{cluster: east, user: east}}}}]
current-context: east
"""


def post(url: str, body: object) -> None:
    """Tell a fake how to behave."""
    assert urllib3.request("POST", url, json=body, timeout=10).status == 200


class FakeEstate:
    """The process and its controls."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def behave(self, **how: object) -> None:
        post(f"{self.url}/_behave", how)

    def calls(self) -> list[str]:
        return json.loads(urllib3.request("GET", f"{self.url}/_calls", timeout=10).data)

    def write(self, root: Path, bank: int = 1) -> Path:
        """Topology, continuity and kubeconfig under `root`; the topology's path."""
        (root / "topology.yaml").write_text(TOPOLOGY.format(bank=bank, estate=self.port))
        (root / "continuity.yaml").write_text(CONTINUITY)
        (root / "kubeconfig").write_text(KUBECONFIG.format(estate=self.port))
        return root / "topology.yaml"


@pytest.fixture(scope="session")
def estates():
    """Starts fake estates."""
    nursery = Nursery(HERE / "fake_estate.py")
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def banks():
    """Starts the generator's stub banks."""
    nursery = Nursery(HERE.parent / "load" / "stub_bank.py")
    yield nursery
    nursery.close()


@pytest.fixture
def fake(estates):
    """A fresh fake estate."""
    started = estates.start()
    yield FakeEstate(started.port)
    started.stop()


@pytest.fixture
def bank(banks):
    """The generator's stub bank; its port."""
    started = banks.start()
    yield started.port
    started.stop()


@pytest.fixture
def cluster(fake, tmp_path):
    fake.write(tmp_path)
    return Cluster.connect(tmp_path / "kubeconfig", "east")


class Recorded(list):
    """Stands where the history stands: what was recorded, in order."""

    def __call__(self, kind, actor="stormdrill", *, mono_ns=None, **data):
        self.append((kind, data))

    def of(self, kind):
        return [data for name, data in self if name == kind]


@pytest.fixture
def estate(fake, cluster, tmp_path):
    """The real clients of a fault, on the fake."""
    topology = topology_file.load(tmp_path / "topology.yaml")
    return Estate(
        topology=topology,
        clusters={"east": cluster},
        directors={cell: PatroniDirector(database.members) for cell, database in topology.databases.items()},
        record=Recorded(),
        choose=random.Random(7),
        check_stop=lambda: None,
        canaries=canaries_of(topology, Prometheus(topology.prometheus.url)),
    )


@pytest.fixture
def whole(fake, bank, tmp_path):
    """A drill on fakes, ready to be started."""
    with tempfile.TemporaryDirectory(prefix="sd") as temporary:  # a socket's path must be short
        yield Whole(tmp_path, fake, bank, HERE.parents[2], Path(temporary))


@pytest.fixture
def run(whole, monkeypatch, capsys):
    """Run `stormdrill run` in this process; its exit code and what it said on stderr and stdout."""
    monkeypatch.chdir(whole.root)

    def call(*arguments):
        code = main(whole.command(*arguments)[3:])
        said = capsys.readouterr()
        return code, said.err + said.out

    return call
