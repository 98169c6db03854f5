"""The lab that all lab tests share: preset `small`, brought up once a session, taken down at its end."""

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.leftovers import leftovers_of

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


def stormlab(
    *arguments: str, check: bool = True, within_s: float = _UP_S
) -> subprocess.CompletedProcess[str]:
    """Run the lab's command line; a failure shows what it said."""
    argv = [sys.executable, "-m", "stormlab", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=within_s)
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
def leftovers():
    """Function (name, state): what a lab left on the machine, asked of the kernel, not of its inventory."""
    return leftovers_of


@pytest.fixture(scope="session")
def small_lab():
    """The preset `small`, ready, and new: what an ended run left up says nothing about this one.

    STORMLAB_KEEP=1 takes what is up and leaves it up, for work on one test.
    """
    with ready_lab(TOPOLOGY, keep=os.environ.get("STORMLAB_KEEP") == "1") as lab:
        yield lab


@pytest.fixture(scope="session")
def another_lab():
    """Function (directory, lab=""): a context with another lab of preset `small`, with a name and ports of its own.

    `lab` is a line more in its topology's block of that name.
    """
    return _another_lab


class SpareLab:
    """A lab that tests take in turn: each finds it whole, or a new one when the one before ended it or failed on it."""

    def __init__(self, directory: Path, session: pytest.Session) -> None:
        self._directory, self._session = directory, session
        self._up: contextlib.ExitStack | None = None
        self._failed = 0

    def whole(self) -> SmallLab:
        """The lab, ready."""
        if self._session.testsfailed > self._failed:
            self.end()
        self._failed = self._session.testsfailed
        if self._up is None:
            with contextlib.ExitStack() as up:
                directory = Path(tempfile.mkdtemp(dir=self._directory))
                self._lab = up.enter_context(_another_lab(directory))
                self._up = up.pop_all()
        return self._lab

    def end(self) -> None:
        """Take it down: what was done to it cannot be undone."""
        if self._up is not None:
            up, self._up = self._up, None
            up.close()


@pytest.fixture(scope="session")
def spare_lab(request, tmp_path_factory):
    """A lab that may be ruined, beside the one that all share; up when it is first asked for."""
    spare = SpareLab(tmp_path_factory.mktemp("spare"), request.session)
    yield spare
    spare.end()


def _another_lab(directory: Path, *, lab: str = "") -> contextlib.AbstractContextManager[SmallLab]:
    text = re.sub(r"\b2[3-9]\d{3}\b", lambda port: str(int(port[0]) + 3000), TOPOLOGY.read_text())
    topology = directory / "another.yaml"
    text = text.replace("name: small\n", "name: another\n")
    topology.write_text(text.replace("\nlab:\n", f"\nlab:\n  {lab}\n") if lab else text)
    for name in ("continuity.yaml", "kubernetes", "prometheus"):
        (directory / name).symlink_to(TOPOLOGY.parent / name)
    return ready_lab(topology)


@pytest.fixture(scope="session")
def lab_of():
    """Function (topology): a context with the lab of another topology."""
    return ready_lab


@contextlib.contextmanager
def ready_lab(
    topology: Path, *, keep: bool = False, up_s: float | None = None, down_s: float = 5
) -> Iterator[SmallLab]:
    """Bring a lab up, and down at the end, within `down_s`; with `keep`, take what is up and leave it up.

    `up_s` is how long it may take to be ready, the lab's own patience unless given.
    """
    patience = () if up_s is None else ("--timeout", str(up_s))
    if not keep:
        stormlab("down", "--topology", str(topology))
    try:
        up = stormlab(
            "up",
            "--topology",
            str(topology),
            "--json",
            *patience,
            within_s=_UP_S if up_s is None else up_s + 30,
        )
        report = json.loads(up.stdout)
        yield SmallLab(
            name=report["name"],
            state=Path(report["kubeconfig"]).parent,
            topology=topology,
            kubeconfig=Path(report["kubeconfig"]),
            endpoints=report["endpoints"],
            ready_s=report["ready_s"],
        )
    finally:
        down = {} if keep else json.loads(stormlab("down", "--topology", str(topology), "--json").stdout)
    if not keep:
        assert leftovers_of(report["name"], Path(report["kubeconfig"]).parent) == []
        assert down["down_s"] < down_s
