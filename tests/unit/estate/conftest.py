"""A compact estate of two cells; tests change a place in it, and look at what follows or at what is said."""

from pathlib import Path

import pytest
import yaml

import stormestate
from stormdrill import topology
from stormdrill.errors import InputError
from stormlab import manifests, topologyfile
from stormlab.errors import BadInputError

TOPOLOGY = Path(__file__).parents[3] / "topology"

ESTATE = """\
schema: stormdrill.estate/1
name: t
environment: lab
regions:
  city1: {context: one, zones: [city1-a, city1-b, city1-w], witness: city1-w}
  city2: {zones: [city2-a]}
cells:
  cell0: {database: pg, ledger: ledger, primary: city1-a, standby: [city1-b], remote: [city2-a]}
  cell1: {primary: city1-b, standby: [city1-a], remote: [city2-a]}
links:
  between_regions: {rtt: 30ms}
lab:
  network: 10.79.0.0/16
  ports: 22000
  prometheus: {config: prometheus/lab.yml.j2, rules: [prometheus/rules.yml]}
operations:
  transfer: {tier: A1, kind: write, deadline: 2s}
  bills: {tier: B, kind: read, deadline: 3s}
  checkin: {tier: C, kind: read, deadline: 3s}
idempotency: {header: Idempotency-Key}
audit:
  high_water: SELECT 1
  movements: SELECT 1 WHERE 1 > %(since)s
continuity: continuity.yaml
"""
CONTINUITY = """\
schema: stormdrill.continuity/1
fault_classes:
  same-city-site-loss:
    title: A site lost
    tiers:
      A: {data_loss: "0s [U] our choice"}
      B: {recovery_time: "5m [U] our choice"}
  city-loss:
    title: A city lost
    tiers:
      A: {data_loss: "60s [U] our choice"}
"""


class Files:
    """The estate and its continuity file in a directory, with the real manifests beside them."""

    def __init__(self, root: Path) -> None:
        self.path = root / "t.yaml"
        self.path.write_text(ESTATE)
        (root / "continuity.yaml").write_text(CONTINUITY)
        for name in ("kubernetes", "prometheus"):
            (root / name).symlink_to(TOPOLOGY / name)

    def change(self, old: str, new: str, name: str = "t.yaml") -> int:
        """Replace the one occurrence of `old`; the line on which the change begins."""
        path = self.path.with_name(name)
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        path.write_text(text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1

    def expansion(self) -> stormestate.Expansion:
        return stormestate.expand(yaml.compose(self.path.read_text()))

    def full(self) -> dict:
        """The full topology, as plain values."""
        expansion = self.expansion()
        assert expansion.problems == ()
        return yaml.safe_load(yaml.serialize(expansion.tree))

    def harness(self) -> topology.Topology:
        return topology.load(self.path)

    def lab(self):
        return topologyfile.load(self.path)

    def objects(self) -> dict[str, dict]:
        """What every region renders to, by kind and name."""
        rendered = manifests.render_all(self.lab())
        return {
            region: {(part["kind"], part["metadata"]["name"]): part for part in objects}
            for region, objects in rendered.items()
        }

    def problems(self) -> list[tuple[int, str]]:
        """Line and text of every problem, as the harness reports them."""
        with pytest.raises(InputError) as caught:
            self.harness()
        assert {problem.file for problem in caught.value.problems} == {str(self.path)}
        return [(problem.line, problem.message) for problem in sorted(caught.value.problems)]

    def problems_of_lab(self) -> list[tuple[int, str]]:
        """The same as the lab reports them."""
        with pytest.raises(BadInputError) as caught:
            self.lab()
        texts = [problem.removeprefix(f"{self.path}:") for problem in caught.value.problems]
        return [(int(line), said) for line, _, said in (text.partition(": ") for text in texts)]


@pytest.fixture(scope="session")
def make_estate(tmp_path_factory):
    """Function: a new estate in a directory of its own."""
    return lambda: Files(tmp_path_factory.mktemp("estate"))


@pytest.fixture
def estate(make_estate):
    return make_estate()
