"""The lab that all lab tests share: preset `small`, brought up once a session, taken down at its end."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOPOLOGY = Path(__file__).parents[2] / "topology" / "small.yaml"
_UP_S = 150


@dataclasses.dataclass(frozen=True)
class SmallLab:
    """A lab that is ready."""

    name: str
    state: Path
    topology: Path
    kubeconfig: Path
    endpoints: dict[str, str]
    """Forwards by name: "127.0.0.1:28081"."""
    ready_s: float

    def lab(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the lab's command line on it, such as lab("logs", "relay")."""
        return stormlab(arguments[0], "--topology", str(self.topology), *arguments[1:], check=check)

    def kubectl(self, region: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl against a region."""
        argv = ["kubectl", "--kubeconfig", str(self.kubeconfig), "--context", region, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=check, timeout=60)

    def status(self) -> dict:
        """`status --json`."""
        return json.loads(self.lab("status", "--json", check=False).stdout)

    def up(self) -> dict:
        """Bring it up again, what a test took away included; returns when it is ready."""
        return json.loads(self.lab("up", "--json").stdout)


def stormlab(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the lab's command line; a failure shows what it said."""
    argv = [sys.executable, "-m", "stormlab", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_UP_S)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def pytest_collection_modifyitems(items):
    """Lab tests need root: without it they are skipped, saying so."""
    if os.geteuid() == 0:
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="the lab needs root"))


@pytest.fixture(scope="session")
def small_lab():
    """The preset `small`, ready. STORMLAB_KEEP=1 leaves it up, for work on one test."""
    report = json.loads(stormlab("up", "--topology", str(TOPOLOGY), "--json").stdout)
    yield SmallLab(
        name=report["name"],
        state=Path(report["kubeconfig"]).parent,
        topology=TOPOLOGY,
        kubeconfig=Path(report["kubeconfig"]),
        endpoints=report["endpoints"],
        ready_s=report["ready_s"],
    )
    if os.environ.get("STORMLAB_KEEP") != "1":
        stormlab("down", "--topology", str(TOPOLOGY))
