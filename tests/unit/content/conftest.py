"""A small tree of content files that are right; tests break one place and look at the message."""

import textwrap
from pathlib import Path

import pytest

TOPOLOGY = """\
schema: stormdrill.topology/1
name: shop
namespace: shop
regions:
  east: {context: east-admin, zones: [e1, e2]}
  west: {context: west-admin, zones: [w1]}
edges: {e1: "http://127.0.0.1:1"}
prometheus: {url: "http://127.0.0.1:2"}
services:
  orders: {selector: {app: orders, tier: web}, type: account}
  search: {selector: {app: search}, type: query, regions: [west]}
operations:
  order: {tier: A1, kind: write, deadline: 1s, match: POST /api/orders}
  find: {tier: B, kind: read, deadline: 500ms, match: [GET /find, POST /find]}
cells: {main: {}}
idempotency: {header: X-Key}
audit:
  kind: sql
  dsn: host=h1,h2 dbname=shop
  password: {env: SHOP_PASSWORD}
  high_water: SELECT 1
  movements: SELECT 1 WHERE 1 > %(since)s
  invariants:
    - {id: none-missing, query: SELECT 0, expect: 0}
continuity: continuity.yaml
"""

CONTINUITY = """\
schema: stormdrill.continuity/1
fault_classes:
  stateless-pod-loss:
    title: Pods lost
    tiers:
      A: {recovery_time: "5s [U] our choice", data_loss: "0s [U] our choice", hurt: "0.5% [S] a blog"}
      A2: {recovery_time: "7s [V] a paper"}
      B: {recovery_time: "10s [U] our choice"}
ceilings:
  A: {recovery_time: "4h [S] a rule", data_loss: "15m [S] a rule"}
windows: {ci: "60s [U] our choice"}
"""

PROFILE = """\
schema: stormdrill.profile/1
name: steady
title: Steady
business:
  monthly_active: 1000000
  daily_share: 20%
  uses_per_day: 3
  calls_per_use: 10
  peak_factor: 3
  yearly_value: 1000000
  ticket: 10
scale: 0.1
session: {length: 30s, opening: [find], actions: {find: 9, order: 1}}
probes: {order: 5/s}
customers: {first: 1, count: 100, probes: 8}
"""

EXPERIMENT = """\
title: Orders survive the loss of a pod
description: One pod of the order service dies.
extensions:
  - name: stormdrill
    schema: stormdrill.experiment/1
    fault_class: stateless-pod-loss
    topology: topology.yaml
    load: {profile: profile.yaml, locustfile: locustfile.py, seed: 7}
    times: {warmup: 5s, steady: 20s, window: 20s, recover_limit: 60s}
    objectives:
      recovery_time: {B: 8s}
      success: {A: 99%}
    assertions:
      - id: errors
        query: sum(errors)
        phases: [steady, recover]
        aggregate: max
        limit: "<= 0"
        min_samples: 10
    guard:
      - {id: collapse, metric: good_ratio, limit: ">= 0.2", grace: 10s}
controls:
  - name: stormdrill
    provider: {type: python, module: stormdrill.chaos.controls}
steady-state-hypothesis:
  title: Orders are taken
  probes:
    - name: load is healthy
      type: probe
      tolerance: true
      provider: {type: python, module: stormdrill.chaos.probes, func: load_healthy}
method:
  - name: kill a pod
    type: action
    provider:
      type: python
      module: stormdrill.chaos.actions
      func: kill_pods
      arguments: {service: orders, zone: e1, count: 1}
rollbacks: []
"""

FILES = {
    "topology.yaml": TOPOLOGY,
    "continuity.yaml": CONTINUITY,
    "profile.yaml": PROFILE,
    "experiment.yaml": EXPERIMENT,
    "locustfile.py": "# journeys\n",
}


class Tree:
    """The files in a directory of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in FILES.items():
            (root / name).write_text(textwrap.dedent(text))

    def path(self, name: str) -> Path:
        return self.root / name

    @property
    def experiment(self) -> Path:
        return self.root / "experiment.yaml"

    @property
    def topology(self) -> Path:
        return self.root / "topology.yaml"

    def change(self, name: str, old: str, new: str) -> int:
        """Replace the one occurrence of `old`; the line on which the change begins."""
        text = self.path(name).read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        self.path(name).write_text(text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)
