"""The parts of the lab block that `up` reads: right ones as values, wrong ones all at once."""

from pathlib import Path

import pytest

from stormlab import topologyfile
from stormlab.errors import BadInputError
from stormlab.preset import HttpReady, PatroniReady, PrometheusReady
from stormlab.statusparts import StatusRow, Watch

HEAD = """\
name: t
regions: {r: {zones: [a]}}
lab:
  network: 10.77.0.0/16
  api_ports: {r: 26443}
  forwards:
    - {name: web, listen: 28081, zone: a, node_port: 30080}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + text)
    return path


def test_every_kind_of_readiness_is_read(tmp_path):
    text = """\
  ready:
    - {patroni: "app=pg", region: r, expect: [leader, sync_standby]}
    - {http: web, path: /readyz}
    - {prometheus: web}
"""
    assert topologyfile.load(written(tmp_path, text)).preset.ready == (
        PatroniReady("app=pg", "r", 8008, ("leader", "sync_standby")),
        HttpReady("web", "/readyz"),
        PrometheusReady("web"),
    )


def test_prometheus_files_are_relative_to_the_topology(tmp_path):
    (tmp_path / "p.j2").write_text("")
    part = topologyfile.load(written(tmp_path, "  prometheus: {config: p.j2}\n")).preset.prometheus
    assert part is not None
    assert (part.config, part.port, part.rules) == (tmp_path / "p.j2", 9090, ())


def test_rows_of_the_status_and_what_it_looks_for(tmp_path):
    (tmp_path / "p.j2").write_text("")
    text = """\
  prometheus: {config: p.j2}
  status:
    - {name: load, query: sum(up)}
    - name: lag
      query: max(lag)
"""
    preset = topologyfile.load(written(tmp_path, text)).preset
    assert preset.status == (StatusRow("load", "sum(up)"), StatusRow("lag", "max(lag)"))
    assert [row.line for row in preset.status] == [10, 12]
    assert preset.watch == Watch("stormdrill.io/v1alpha1/faults", "stormdrill-fence")
    text = "  watch: {faults: chaos.example/v1/experiments, fences: closed}\n"
    assert topologyfile.load(written(tmp_path, text)).preset.watch == Watch(
        "chaos.example/v1/experiments", "closed"
    )


def test_what_is_wrong_with_rows_and_watch(tmp_path):
    text = """\
  status:
    - {name: a, query: up}
    - {name: a, query: up}
    - {name: b}
  watch: {faults: faults, fences: Closed, what: x}
"""
    path = written(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        topologyfile.load(path)
    found = [problem.removeprefix(f"{path}:") for problem in caught.value.problems]
    for line, words in [
        (8, "lab.status: needs lab.prometheus"),
        (10, "given twice"),
        (11, "'query' is missing"),
        (12, "lab.watch.faults: must be group/version/plural"),
        (12, "lab.watch.fences: must be the name of a ConfigMap"),
        (12, "lab.watch.what: unknown key"),
    ]:
        assert any(problem.startswith(f"{line}:") and words in problem for problem in found), (words, found)
    assert len(found) == 6


def test_all_problems_come_together_with_their_lines(tmp_path):
    text = """\
  prometheus: {config: absent.j2, retention: 3d}
  secrets:
    - {namespace: Bank, name: s, keys: ["a b"]}
  ready:
    - {http: nowhere}
    - {patroni: x, region: q, expect: [king]}
    - {http: web, prometheus: web}
"""
    path = written(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        topologyfile.load(path)
    found = [problem.removeprefix(f"{path}:") for problem in caught.value.problems]
    for line, words in [
        (8, "no such file"),
        (8, "unknown key"),
        (10, "lower-case"),
        (10, "'a b' is no key"),
        (12, "no forward 'nowhere'"),
        (13, "no region 'q'"),
        (13, "no role 'king'"),
        (14, "exactly one of"),
    ]:
        assert any(problem.startswith(f"{line}:") and words in problem for problem in found), (words, found)
    assert len(found) == 8


def test_a_second_name_leaves_everything_else(tmp_path):
    path = written(tmp_path, "")
    assert topologyfile.load(path, "other").outside.netns == "sl-other-outside"
    assert topologyfile.load(path).outside.netns == "sl-t-outside"


def test_a_certificate_may_be_short(tmp_path):
    text = """\
  secrets:
    - {namespace: bank, name: edge-tls, tls: [127.0.0.1], lifetime: 90s}
    - {namespace: bank, name: other, tls: [127.0.0.1], lifetime: 30d}
    - {namespace: bank, name: third, tls: [127.0.0.1]}
"""
    secrets = topologyfile.load(written(tmp_path, text)).preset.secrets
    assert [one.lifetime_s for one in secrets] == [90.0, 30 * 86_400.0, None]


def test_a_lifetime_is_a_certificate_s_and_a_duration(tmp_path):
    text = """\
  secrets:
    - {namespace: bank, name: a, keys: [b], lifetime: 90s}
    - {namespace: bank, name: b, tls: [127.0.0.1], lifetime: 90}
    - {namespace: bank, name: c, tls: [127.0.0.1], lifetime: 0s}
"""
    path = written(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        topologyfile.load(path)
    found = [problem.removeprefix(f"{path}:") for problem in caught.value.problems]
    wrong = "must be a duration from 1s to 3650d, such as 90s or 90d"
    assert found == [
        "9: lab.secrets[0].lifetime: only a certificate ('tls') has one",
        f"10: lab.secrets[1].lifetime: {wrong}",
        f"11: lab.secrets[2].lifetime: {wrong}",
    ]
