"""Somebody else's estate: other names, labels, metrics, service and a plain locustfile; only files say so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TOPOLOGY = HERE / "topology.yaml"

pytestmark = pytest.mark.lab


def run(*argv: str, timeout_s: float = 200) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout_s)


@pytest.fixture(scope="module")
def kubeconfig():
    command = [sys.executable, "-m", "stormlab"]
    up = run(*command, "up", "--topology", str(TOPOLOGY), "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    yield json.loads(up.stdout)["kubeconfig"]
    assert run(*command, "down", "--topology", str(TOPOLOGY)).returncode == 0


def drill(kubeconfig: str, runs: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command of the documentation, with the times of a test."""
    return run(
        sys.executable, "-m", "stormdrill", "run", str(ROOT / "experiments" / "pod-kill.yaml"),
        "--context", "hq", "--topology", str(TOPOLOGY), "--locustfile", str(HERE / "locustfile.py"),
        "--kubeconfig", kubeconfig, "--runs", str(runs), "--times", "warmup=3s,steady=6s,window=6s", *options,
    )  # fmt: skip


def test_the_same_experiment_judges_another_estate(kubeconfig, tmp_path):
    ended = drill(kubeconfig, tmp_path)
    (path,) = tmp_path.iterdir()
    verdict = json.loads((path / "verdict.json").read_text())
    rules = {rule["id"]: rule["verdict"] for rule in verdict["validity"]}
    checks = {check["id"]: check for check in verdict["checks"]}

    # It has one pod in each zone and nothing that asks again: whoever ordered while both were gone was hurt.
    assert (ended.returncode, verdict["verdict"]) == (1, "fail"), ended.stdout + ended.stderr
    assert checks["hurt.A"]["verdict"] == "fail", ended.stdout
    for rule in (
        "client_prometheus_agree",
        "fault_proven",
        "method_ran",
        "load_ran_to_end",
        "audit_complete",
        "records_intact",
    ):
        assert rules[rule] == "pass", (rule, ended.stdout)
    assert checks["lost"]["measured"]["value"] == 0
    assert {"recovery.order", "recovery.browse"} <= set(checks)
    killed = [event for event in history(path) if event["kind"] == "pod.killed"]
    assert {event["data"]["service"] for event in killed} == {"gateway", "ledger"}
    assert all(event["data"]["pod"].startswith("shop-") for event in killed)

    books = json.loads((path / "books.json").read_text())
    measured = json.loads((path / "measurements.json").read_text())
    assert books["reader"] == "http"
    assert measured["loss"]["acknowledged"] > 100
    assert measured["agreement"]["prometheus"] > 100  # through the metric-name map alone
    assert (path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("component: web", "component: wbe", "component=wbe"),
        ("context: hq", "context: headquarters", "headquarters"),
        ("http://127.0.0.1:27090", "http://127.0.0.1:27099", "27099"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_touched(kubeconfig, tmp_path, old, new, said):
    text = (
        TOPOLOGY.read_text()
        .replace("../../..", str(ROOT))
        .replace("profile.yaml", str(HERE / "profile.yaml"))
        .replace("continuity.yaml", str(HERE / "continuity.yaml"))
    )
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace(old, new))
    before = pods(kubeconfig)
    ended = run(
        sys.executable, "-m", "stormdrill", "run", str(ROOT / "experiments" / "pod-kill.yaml"),
        "--topology", str(mine), "--locustfile", str(HERE / "locustfile.py"),
        "--kubeconfig", kubeconfig, "--runs", str(tmp_path / "runs"),
    )  # fmt: skip
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert said in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list((tmp_path / "runs").glob("*"))
    assert pods(kubeconfig) == before


def history(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]


def pods(kubeconfig: str) -> set[str]:
    argv = [
        "kubectl",
        "--kubeconfig",
        kubeconfig,
        "get",
        "pods",
        "-n",
        "shop",
        "-o",
        "jsonpath={.items[*].metadata.uid}",
    ]
    return set(run(*argv).stdout.split())
