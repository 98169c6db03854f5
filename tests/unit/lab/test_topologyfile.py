"""The lab's half of the topology file: the address plan, and every problem with its line."""

from pathlib import Path

import pytest

from stormlab.errors import BadInputError
from stormlab.topologyfile import keep, load, of_state

GOOD = """\
schema: stormdrill.topology/1
name: t
regions:
  city1:
    context: one
    zones: [city1-a, city1-b]
  city2:
    zones: [city2-a]
links:
  within_region: {rtt: 1ms}
  between_regions: {rtt: 30ms}
  outside: {rtt: 2ms}
  pairs:
    - {between: [city1-a, city2-a], rtt: 0.5s}
lab:
  network: 10.77.0.0/16
  images: {"a:1": {}, "b:2": {path: [/opt/b/bin]}}
  api_ports: {city1: 26001, city2: 26002}
  forwards:
    - {name: edge, listen: 28001, zone: city1-b, node_port: 30080}
    - {name: prom, listen: 29001, outside_port: 9090}
services: {this: is not the lab's business}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(BadInputError) as caught:
        load(write(tmp_path, text))
    return [problem.split("t.yaml:", 1)[1] for problem in caught.value.problems]


def test_address_plan(tmp_path):
    estate = load(write(tmp_path, GOOD))
    assert [(z.name, str(z.network), z.address, z.netns) for z in estate.zones] == [
        ("city1-a", "10.77.1.0/24", "10.77.1.1", "sl-t-city1-a"),
        ("city1-b", "10.77.2.0/24", "10.77.2.1", "sl-t-city1-b"),
        ("city2-a", "10.77.3.0/24", "10.77.3.1", "sl-t-city2-a"),
    ]
    assert estate.outside.address == "10.77.0.1"
    assert [str(r.service_network) for r in estate.regions] == ["10.96.0.0/16", "10.97.0.0/16"]
    assert estate.api_url("city2") == "https://10.77.0.1:26002"
    assert estate.pod_netns("0123456789ab") == "sl-t-p-01234567"
    assert [(r.name, r.context) for r in estate.regions] == [("city1", "one"), ("city2", "city2")]
    assert estate.images["b:2"].path == ("/opt/b/bin",)


def test_every_pair_of_sites_has_a_round_trip_time(tmp_path):
    links = load(write(tmp_path, GOOD)).links
    rtt = {pair: shape.rtt_ms for pair, shape in links.items()}
    assert rtt[frozenset(("city1-a", "city1-b"))] == 1.0
    assert rtt[frozenset(("city1-b", "city2-a"))] == 30.0
    assert rtt[frozenset(("city1-a", "city2-a"))] == 500.0
    assert rtt[frozenset(("outside", "city2-a"))] == 2.0
    assert len(rtt) == 6


@pytest.mark.parametrize(
    ("line", "period_s"),
    [
        ("", 300.0),
        ("  kubelet: {}\n", 300.0),
        ("  kubelet: {max_container_restart_period: 5s}\n", 5.0),
        ("  kubelet: {max_container_restart_period: 1s}\n", 1.0),
        ("  kubelet: {max_container_restart_period: 5m}\n", 300.0),
    ],
)
def test_the_longest_wait_before_a_restart(tmp_path, line, period_s):
    text = GOOD.replace("lab:\n", "lab:\n" + line)
    assert load(write(tmp_path, text)).kubelet.max_container_restart_period_s == period_s


@pytest.mark.parametrize(
    ("line", "grace_s", "renewal_s"),
    [
        ("", 40.0, 10.0),
        ("  controllers: {node_monitor_grace_period: 8s}\n", 8.0, 2.0),
        ("  controllers: {node_monitor_grace_period: 5m}\n", 300.0, 10.0),
    ],
)
def test_how_long_a_node_may_be_silent(tmp_path, line, grace_s, renewal_s):
    found = load(write(tmp_path, GOOD.replace("lab:\n", "lab:\n" + line))).controllers
    assert (found.node_monitor_grace_period_s, found.lease_renewal_s) == (grace_s, renewal_s)


def test_a_lab_under_another_name_has_other_namespaces(tmp_path):
    assert load(write(tmp_path, GOOD), "other").zone("city1-a").netns == "sl-other-city1-a"


def test_the_kept_copy_gives_the_same_estate_after_the_file_is_gone(tmp_path):
    path = write(tmp_path, GOOD)
    estate = load(path, "x")
    keep(estate, tmp_path / "state")
    path.unlink()
    assert of_state(tmp_path / "state") == estate


def test_no_lab_in_a_directory(tmp_path):
    with pytest.raises(BadInputError, match="no lab here"):
        of_state(tmp_path)


def test_all_problems_at_once_with_their_lines(tmp_path):
    text = GOOD.replace("rtt: 30ms", "rtt: 30").replace("zones: [city2-a]", "zones: [city1-a]")
    text = text.replace("forwards:", "forwords:").replace("city2: 26002", "city2: x")
    found = problems(tmp_path, text)
    assert [line.split(":")[0] for line in found] == ["8", "11", "14", "18", "19"]
    assert "already taken" in found[0]
    assert "unknown key" in found[-1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: t", "name: Big", "lower-case"),
        ("10.77.0.0/16", "10.77.0.0/24", "/16"),
        ("10.77.0.0/16", "10.97.0.0/16", "service addresses"),
        ("between: [city1-a, city2-a]", "between: [city1-a, city1-a]", "two different sites"),
        ("zone: city1-b, node_port: 30080", "zone: nowhere, node_port: 30080", "no zone 'nowhere'"),
        ("outside_port: 9090", "zone: city1-a", "either 'zone' and 'node_port'"),
        ("listen: 29001", "listen: 28001", "given twice"),
        ("path: [/opt/b/bin]", "path: [./nowhere]", "no directory"),
        ("    context: one", "    contxt: one", "unknown key"),
        ("  network: 10.77.0.0/16\n", "", "'network' is missing"),
        ("rtt: 0.5s", "rtt: 11s", "from 0ms to 10s"),
        ("lab:\n", "lab:\n  kubelet: {max_container_restart_period: 0.5s}\n", "from 1s to 300s"),
        ("lab:\n", "lab:\n  kubelet: {max_container_restart_period: 301s}\n", "from 1s to 300s"),
        ("lab:\n", "lab:\n  kubelet: {max_container_restart_period: 5}\n", "from 1s to 300s"),
        ("lab:\n", "lab:\n  controllers: {node_monitor_grace_period: 3s}\n", "from 4s to 60m"),
        ("lab:\n", "lab:\n  kubelet: {max_restart_period: 5s}\n", "kubelet.max_restart_period: unknown key"),
    ],
)
def test_one_problem(tmp_path, old, new, said):
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new))
    assert any(said in problem for problem in found), found


def test_not_yaml_and_no_file(tmp_path):
    assert "not YAML" in problems(tmp_path, "a: [")[0]
    with pytest.raises(BadInputError, match="No such file"):
        load(tmp_path / "absent.yaml")
