"""Phones of `small` that speak TLS: a drill passes, and with a certificate that expires in it the same drill fails.

In both, the edges are released while the drill settles. That loses nothing by itself, for an edge that goes says so to
whoever is connected; but every phone then makes a connection, and looks at the certificate.
"""

import base64
import datetime as dt
import json
import ssl
import subprocess
import sys
import time

import pytest
from cryptography import x509
from tests.lab.drill.estate import LIGHT, ROOT, drill, event, until

pytestmark = pytest.mark.lab
CLEAR, OVER_TLS = "edge_certificate: {}", "edge_certificate: {lifetime: 2m}"
LEFT_S = 50
"""Of the certificate when the drill begins: it expires in its last phase, which begins sooner and ends later."""


@pytest.fixture(scope="module")
def lab(another_lab, tmp_path_factory):
    with another_lab(tmp_path_factory.mktemp("tls"), lab=f"phones: https\n  {CLEAR}") as found:
        yield found


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def secret(lab, key):
    """What the Secret of the edges has under a key."""
    shown = lab.kubectl("city1", "get", "secret", "edge-tls", "-n", "bank", "-o", "json").stdout
    return base64.b64decode(json.loads(shown)["data"][key]).decode()


def expires(lab):
    return x509.load_pem_x509_certificate(secret(lab, "tls.crt").encode()).not_valid_after_utc


def left_s(lab):
    """How long the certificate is good."""
    return (expires(lab) - dt.datetime.now(dt.UTC)).total_seconds()


def shown(lab, edge):
    """The certificate that an edge shows."""
    host, port = lab.endpoints[edge].split(":")
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port)), timeout=5).encode())


def release_the_edges(lab):
    names = [f"deployment/edge-{zone}" for zone in ("city1-a", "city1-b")]
    lab.kubectl("city1", "rollout", "restart", "-n", "bank", *names)
    for name in names:
        lab.kubectl("city1", "rollout", "status", "-n", "bank", name, "--timeout=50s")


def pod_kill(lab, runs, settle, while_it_settles):
    def during(run):
        event(run, "phase.start", phase="settle")
        while_it_settles()

    times = f"warmup=3s,steady=12s,window=6s,settle={settle}"
    options = (*LIGHT, "--topology", str(lab.topology), "--times", times)
    return drill(lab, runs, "experiments/pod-kill.yaml", *options, during=during)


def settled(ended):
    """Verdicts on the drill's last phase, by tier."""
    checks = ended.verdict["checks"]
    return {one["id"]: one["verdict"] for one in checks if one["id"].startswith("settled.")}


# Beside another lab two cores are too few for a verdict that is trusted.
@pytest.mark.long
def test_a_drill_passes_over_tls_and_a_release_of_the_edges_is_not_noticed(lab, runs):
    assert left_s(lab) > 3000 * 86_400
    ended = pod_kill(lab, runs, "15s", lambda: release_the_edges(lab))
    assert (ended.code, ended.verdict["verdict"]) == (0, "pass"), ended.output
    assert settled(ended)["settled.A"] == "pass"
    resolved = (ended.path / "plan.json").read_text()
    assert f"https://{lab.endpoints['edge-tls-city1-a']}" in resolved


@pytest.mark.long
def test_a_certificate_that_expires_in_a_drill_fails_it(lab, runs):
    topology = lab.topology.read_text()
    assert topology.count(CLEAR) == 1
    lab.topology.write_text(topology.replace(CLEAR, OVER_TLS))
    lab.up()
    end = expires(lab)
    assert left_s(lab) <= 120
    for edge in ("edge-tls-city1-a", "edge-tls-city1-b"):
        until(lambda at=edge: shown(lab, at).not_valid_after_utc == end, 20, f"{edge} shows the short one")
    until(lambda: left_s(lab) < LEFT_S, 120, "the drill begins")

    def expire():
        assert left_s(lab) > 0, "the machine was too slow: it expired before the last phase"
        time.sleep(left_s(lab) + 1)
        release_the_edges(lab)

    ended = pod_kill(lab, runs, "50s", expire)
    assert (ended.code, ended.verdict["verdict"]) == (1, "fail"), ended.output
    assert settled(ended)["settled.A"] == "fail"
    said = (ended.path / "requests/generator.log").read_text()
    assert "certificate has expired" in said
    # Whoever starts a drill now is told at once; `up` makes the lab whole.
    argv = [sys.executable, "-m", "stormdrill", "run", str(ROOT / "experiments/pod-kill.yaml")]
    argv += ["--topology", str(lab.topology), "--kubeconfig", str(lab.kubeconfig), "--runs", str(runs)]
    late = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert late.returncode == 2, late.stderr
    assert "shows a certificate that no phone accepts: certificate has expired" in late.stdout + late.stderr
    lab.up()
    assert 0 < left_s(lab) <= 120
