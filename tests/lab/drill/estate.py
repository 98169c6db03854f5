"""What the drill tests do to the lab, and undo: settings of the bank, links, replication, a node's cordon."""

import base64
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).parents[3]
DRILL_S = 240
BATCH_PARTS = 60  # of 6.5 MB


@dataclass(frozen=True)
class Ended:
    """A drill that is over."""

    code: int
    output: str
    path: Path

    @property
    def verdict(self) -> dict[str, Any]:
        """`verdict.json`."""
        return json.loads((self.path / "verdict.json").read_text())

    @property
    def measurements(self) -> dict[str, Any]:
        """`measurements.json`."""
        return json.loads((self.path / "measurements.json").read_text())

    def check(self, identity: str) -> dict[str, Any]:
        """One check or validity rule by id."""
        verdict = self.verdict
        return next(one for one in verdict["checks"] + verdict["validity"] if one["id"] == identity)

    def broken(self) -> set[str]:
        """Ids of the validity rules that do not hold."""
        return {
            rule["id"]
            for rule in self.verdict["validity"]
            if rule["verdict"] not in {"pass", "not_exercised"}
        }


def drill(
    lab: Any, runs: Path, experiment: str, *options: str, during: Callable[[Path], None] | None = None
) -> Ended:
    """Run one drill as a user would; `during` gets the run's directory as soon as there is one."""
    argv = [sys.executable, "-m", "stormdrill", "run", str(ROOT / experiment), "--runs", str(runs)]
    argv += ["--kubeconfig", str(lab.kubeconfig), *options]
    before = set(runs.glob("*")) if runs.exists() else set()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if during:
            during(_directory(process, runs, before))
        output, _ = process.communicate(timeout=DRILL_S)
    finally:
        process.kill()
        process.wait()
    made = sorted(set(runs.glob("*")) - before)
    assert made, f"no run directory; it said:\n{output}"
    return Ended(process.returncode, output, made[-1])


def _directory(process: subprocess.Popen[str], runs: Path, before: set[Path]) -> Path:
    made = until(
        lambda: sorted(set(runs.glob("*")) - before) or process.poll() is not None, 60, "a run directory"
    )
    assert isinstance(made, list), f"the drill ended: {process.communicate()[0]}"
    return made[-1]


def event(run: Path, kind: str, deadline_s: float = 120, **data: Any) -> dict[str, Any]:
    """Wait for an event of the run's history."""

    def look() -> dict[str, Any] | None:
        history = run / "history.jsonl"
        for line in history.read_text().splitlines(keepends=True) if history.exists() else ():
            found = json.loads(line) if line.endswith("\n") else {}
            if (
                found.get("kind") == kind
                and data.items() <= {**found["data"], "phase": found["phase"]}.items()
            ):
                return found
        return None

    return until(look, deadline_s, f"event {kind} {data}")


def until(condition: Callable[[], Any], deadline_s: float, what: str) -> Any:
    """Poll until true; the value."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {deadline_s} s"
        time.sleep(0.02)
    return value


def patroni(lab: Any, member: str = "patroni-city1-a") -> str:
    """URL of a member's REST API."""
    return f"http://{lab.endpoints[member]}"


def get(url: str) -> dict[str, Any]:
    """GET JSON, whatever its status."""
    with urllib.request.urlopen(url, timeout=3) as answer:
        return json.loads(answer.read())


def cluster(lab: Any) -> dict[str, dict[str, Any]]:
    """Members by name, as any Patroni that answers lists them; empty when none does."""
    for member in ("patroni-city1-a", "patroni-city1-b"):
        with contextlib.suppress(OSError, ValueError):
            return {one["name"]: one for one in get(f"{patroni(lab, member)}/cluster")["members"]}
    return {}


def whole(lab: Any) -> bool:
    """A leader, and a streaming standby on its timeline."""
    members = cluster(lab).values()
    leaders = [one for one in members if one["role"] == "leader" and one["state"] == "running"]
    standbys = [one for one in members if one["state"] == "streaming" and one["role"] != "leader"]
    return bool(leaders and standbys) and {one["timeline"] for one in members} == {leaders[0].get("timeline")}


def configure(lab: Any, patch: dict[str, Any]) -> None:
    """PATCH the database cluster's dynamic configuration."""
    request = urllib.request.Request(
        f"{patroni(lab)}/config",
        json.dumps(patch).encode(),
        {"Content-Type": "application/json"},
        method="PATCH",
    )
    urllib.request.urlopen(request, timeout=5).close()


@contextlib.contextmanager
def asynchronous_over_a_slow_link(lab: Any) -> Iterator[None]:
    """Replication acknowledges before the standby has it, over 500 ms between the sites.

    The standby may take over however far behind it is, or nothing would be lost but time. Leaves a new lab: after
    a loss the remote site holds writes that the new primary never had, for good.
    """
    configure(lab, {"synchronous_mode": False, "maximum_lag_on_failover": 1 << 30})
    lab.lab("link", "city1-a", "city1-b", "--rtt", "500ms")
    try:
        until(lambda: not any(m["role"] == "sync_standby" for m in cluster(lab).values()), 30, "asynchronous")
        until(lambda: whole(lab), 30, "a streaming pair over the slow link")
        yield
    finally:
        lab.lab("down")
        lab.up()


def batch_until_the_primary_dies(lab: Any, run: Path) -> None:
    """A batch job writes megabytes without end when the primary dies: more than a link of 500 ms carries.

    What customers are told after its first part waits behind it, unsent, whenever the fault comes. (Without it
    everything arrives: a connection over 500 ms carries what the load writes, and what is under way outlives the
    process that sent it.)
    """
    leader = next(name for name, one in cluster(lab).items() if one["role"] == "leader")
    endpoint = lab.endpoints[f"postgres-{leader.removeprefix('pg-').removesuffix('-0')}"]
    secret = lab.kubectl("city1", "get", "secret", "postgres", "-n", "bank", "-o", "json").stdout
    password = base64.b64decode(json.loads(secret)["data"]["superuser-password"]).decode()
    host, _, port = endpoint.rpartition(":")
    with psycopg.connect(
        host=host, port=port, dbname="bank", user="postgres", password=password, autocommit=True
    ) as connection:
        event(run, "hypothesis")
        _write_until_cut_off(connection)


def _write_until_cut_off(connection: psycopg.Connection[Any]) -> None:
    with contextlib.suppress(psycopg.OperationalError):
        connection.execute("CREATE TABLE public.batch (i int, line text)")
        for _ in range(BATCH_PARTS):
            connection.execute(
                "INSERT INTO public.batch SELECT i, repeat('x', 180) FROM generate_series(1, 30000) i"
            )
        raise AssertionError("the primary outlived the batch job")


@contextlib.contextmanager
def slow_link(lab: Any, rtt: str) -> Iterator[None]:
    """The two sites are further apart."""
    lab.lab("link", "city1-a", "city1-b", "--rtt", rtt)
    try:
        yield
    finally:
        lab.lab("link", "city1-a", "city1-b", "--rtt", "1ms")


@contextlib.contextmanager
def bank_with(lab: Any, **settings: str) -> Iterator[None]:
    """The bank with other settings, rolled out; put back at the end."""
    before = json.loads(lab.kubectl("city1", "get", "configmap", "bank", "-n", "bank", "-o", "json").stdout)[
        "data"
    ]
    _roll_out(lab, settings)
    try:
        yield
    finally:
        _roll_out(lab, {name: before[name] for name in settings})


def _roll_out(lab: Any, settings: dict[str, str]) -> None:
    patch = json.dumps({"data": settings})
    lab.kubectl("city1", "patch", "configmap", "bank", "-n", "bank", "--type", "merge", "-p", patch)
    names = [f"deployment/{app}-{zone}" for app in ("gateway", "ledger") for zone in ("city1-a", "city1-b")]
    lab.kubectl("city1", "rollout", "restart", "-n", "bank", *names)
    for name in names:
        lab.kubectl("city1", "rollout", "status", "-n", "bank", name, "--timeout=50s")


def cordon_primary(lab: Any) -> None:
    """The node of the database's leader takes no new pods, so that a killed primary stays lost."""
    leader = next(name for name, one in cluster(lab).items() if one["role"] == "leader")
    lab.kubectl("city1", "cordon", leader.removeprefix("pg-").removesuffix("-0"))
