"""A whole runbook of `site:` steps as a user runs it, killed in the promotion, and run again."""

import json
import os
import signal
import subprocess
import sys

import pytest
import yaml

from .test_moves import BIN, Drill, database, sites  # noqa: F401 - fixtures

pytestmark = pytest.mark.skipif(not (BIN / "postgres").exists(), reason="PostgreSQL 15 is not installed")
HEADER = (
    "# There\n\n```yaml runbook\nschema: stormdrill.runbook/1\nname: there\ntopology: topology.yaml\n```\n"
)
STEP = """
## {number}. {do}

```yaml step
id: {do}
kind: action
site: {{cell: main, lost: city1, do: {do}, why: decided}}
already:
  site: {{cell: main, lost: city1, is: {wanted}}}
proof:
  site: {{cell: main, lost: city1, is: {wanted}}}
```
"""
STEPS = {"close": "closed", "promote": "promoted", "lead": "led"}


@pytest.fixture
def estate(sites, api, tmp_path):  # noqa: F811
    """The fakes, a runbook, and a kubeconfig with both regions in it."""
    drill = Drill(sites, api.cluster(), tmp_path)
    steps = [STEP.format(number=n, do=do, wanted=STEPS[do]) for n, do in enumerate(STEPS, start=1)]
    (tmp_path / "there.md").write_text(HEADER + "".join(steps))
    config = yaml.safe_load(api.kubeconfig.read_text())
    (context,) = [one for one in config["contexts"] if one["name"] == "city1"]
    config["contexts"].append({**context, "name": "city2"})
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    return drill


def start(directory):
    argv = [sys.executable, "-m", "stormdrill", "runbook", "run", "there.md", "--auto", "--run", "kept"]
    return subprocess.Popen(
        [*argv, "--kubeconfig", "kubeconfig"], cwd=directory, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_killed_in_the_promotion_it_goes_on_and_promotes_once(estate, tmp_path):
    process = start(tmp_path)
    estate.sites.on_patch = lambda: os.kill(process.pid, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said
    estate.sites.writes("home", False)  # as its fence has it
    assert (
        "city2 has been promoted and leads; city1 is closed for writers (proven), by auto"
        in estate.unusual()[0]
    )

    again = start(tmp_path)
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert estate.sites.calls == ["promote away", "restore city2-a", "drain city1-a"]
    events = [json.loads(line) for line in (tmp_path / "kept/history.jsonl").read_text().splitlines()]
    results = {one["data"]["step"]: one["data"]["result"] for one in events if one["kind"] == "step.done"}
    assert results == {"close": "done", "promote": "already", "lead": "done"}
    closed = {(one["actor"], one["data"]["how"]) for one in events if one["kind"] == "fence.closed"}
    assert closed == {("auto", "proven")}
    assert all(one["data"]["auto"] for one in events if one["kind"] == "decision")
    assert [one["data"]["to"] for one in events if one["kind"] == "route.changed"] == [["city2-a"]]
