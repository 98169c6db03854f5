"""Limits of a container as groups hold them: against files for v2, and against the kernel for what this machine has."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from stormlab import cgroup
from stormlab.cgrouplimits import Limits, Places, hold, place

V2 = {"cgroup.subtree_control": "", "cpu.max": "max 100000", "memory.max": "max", "memory.swap.max": "max"}


@pytest.fixture
def v2(tmp_path):
    """A pod's group of v2, with a container's below it."""
    for path in (tmp_path / "pod", tmp_path / "pod" / "c"):
        path.mkdir()
        for name, text in (V2 | {"memory.oom.group": "0"}).items():
            (path / name).write_text(text)
    return Places(tmp_path / "pod", None, None)


def test_v2_holds_them_in_the_containers_own_group(v2):
    held = hold(v2, "c", Limits(cpu=0.25, memory=64 << 20))
    group = v2.v2 / "c"
    assert (group / "cpu.max").read_text() == "25000 100000"
    assert (group / "memory.max").read_text() == str(64 << 20)
    assert ((group / "memory.swap.max").read_text(), (group / "memory.oom.group").read_text()) == ("0", "1")
    assert (held.groups, held.kills, held.missing) == ((), str(group / "memory.events"), ())
    assert held == place(v2, "c", Limits(cpu=0.25, memory=64 << 20))


def test_what_the_machine_cannot_hold_is_said(tmp_path):
    (tmp_path / "pod").mkdir()
    held = hold(Places(tmp_path / "pod", None, None), "c", Limits(cpu=1, memory=1))
    assert held.missing == ("cpu", "memory")


def test_without_limits_nothing_is_made(tmp_path):
    for places in (
        Places(tmp_path / "v2", tmp_path / "cpu", tmp_path / "m"),
        Places(tmp_path / "v2", None, None),
    ):
        held = hold(places, "c", Limits())
        assert (held.groups, held.kills, held.missing) == ((), "", ())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def v1():
    """A pod's groups on this machine."""
    roots = [cgroup.v2_root(), cgroup.v1_cpu_root(), cgroup.v1_memory_root()] if os.geteuid() == 0 else [None]
    if None in roots:
        pytest.skip("needs root, and cpu and memory under v1")
    made = [root / f"stormlab-test-{uuid.uuid4().hex[:8]}" for root in roots]
    for path in made:
        path.mkdir()
    yield Places(*made)
    assert all(cgroup.remove(path) for path in made)


def run_within(groups, code):
    def enter():
        for group in groups:
            Path(group, "cgroup.procs").write_text(str(os.getpid()))

    return subprocess.run([sys.executable, "-S", "-c", code], preexec_fn=enter, check=False).returncode


def test_v1_kills_who_takes_too_much_memory_and_counts_it(v1):
    held = hold(v1, "c", Limits(memory=32 << 20))
    assert held.missing == ()
    assert run_within(held.groups, "bytearray(8 << 20)") == 0
    assert "oom_kill 0" in (v1.memory / "c" / "memory.oom_control").read_text()
    assert run_within(held.groups, "bytearray(96 << 20)") == -9
    assert "oom_kill 1" in Path(held.kills).read_text()


def test_v1_moves_a_limit_up_and_down(v1):
    for limit in (32 << 20, 64 << 20, 16 << 20):
        assert hold(v1, "c", Limits(memory=limit)).missing == ()
        assert (v1.memory / "c" / "memory.limit_in_bytes").read_text().strip() == str(limit)


def test_v1_holds_back_who_takes_too_much_processor(v1):
    held = hold(v1, "c", Limits(cpu=0.2))
    spin = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass"
    assert run_within(held.groups, spin) == 0
    stat = dict(line.split() for line in (v1.cpu / "c" / "cpu.stat").read_text().splitlines())
    assert int(stat["nr_throttled"]) > 0


@pytest.fixture
def real_v2():
    """A pod's group of v2 on this machine, where whoever has the root hands cpu and memory down."""
    if os.geteuid() != 0:
        pytest.skip("limits under cgroup v2 are not tested: needs root")
    root = cgroup.v2_root()
    handed = set((root / "cgroup.subtree_control").read_text().split())
    if lacking := {"cpu", "memory"} - handed:
        why = f"{root}/cgroup.subtree_control does not hand down {' and '.join(sorted(lacking))}"
        held = "; v1 has them" if cgroup.v1_cpu_root() or cgroup.v1_memory_root() else ""
        pytest.skip(f"limits under cgroup v2 are not tested: {why}{held}")
    made = root / f"stormlab-test-{uuid.uuid4().hex[:8]}"
    made.mkdir()
    yield Places(made, None, None)
    cgroup.kill(made)
    assert cgroup.wait_empty(made, 5)
    assert cgroup.remove(made)


def counted(path, name):
    return int(dict(line.split() for line in path.read_text().splitlines())[name])


def test_v2_kills_a_container_as_a_whole_when_one_of_it_takes_too_much_memory(real_v2):
    held = hold(real_v2, "c", Limits(memory=64 << 20))
    assert (held.groups, held.missing) == ((), ())
    group = real_v2.v2 / "c"
    assert run_within([group], "bytearray(8 << 20)") == 0
    assert counted(Path(held.kills), "oom_kill") == 0
    # The parent takes little and only waits; `memory.oom.group` ends it with its child.
    parent = "import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-c', 'bytearray(192 << 20)'])"
    assert run_within([group], parent) == -9
    assert counted(Path(held.kills), "oom_kill") >= 1
    assert cgroup.wait_empty(group, 5)


def test_v2_moves_a_limit_up_and_down(real_v2):
    for limit in (64 << 20, 128 << 20, 32 << 20):
        assert hold(real_v2, "c", Limits(memory=limit)).missing == ()
        assert (real_v2.v2 / "c" / "memory.max").read_text().strip() == str(limit)


def test_v2_holds_back_who_takes_too_much_processor(real_v2):
    assert hold(real_v2, "c", Limits(cpu=0.2)).missing == ()
    group = real_v2.v2 / "c"
    spin = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass"
    assert run_within([group], spin) == 0
    assert counted(group / "cpu.stat", "nr_throttled") > 0
    # A second of wall clock, and one period more that it may have begun.
    assert counted(group / "cpu.stat", "usage_usec") < 500_000
