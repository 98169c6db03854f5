"""What is asked of the machine before anything is made."""

from pathlib import Path

import pytest

from stormlab import cgroup, preflight, topologyfile

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("hierarchy", ["v1_cpu_root", "v2_root"])
def test_a_hierarchy_that_cannot_be_written_to_is_named(tmp_path, monkeypatch, hierarchy):
    """As where a container has it read-only: for root, what cannot be written to is what is not there."""
    monkeypatch.setattr(cgroup, hierarchy, lambda: tmp_path / "read-only")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    estate = topologyfile.load(ROOT / "tests" / "lab" / "tiny" / "topology.yaml")
    said = preflight.problems(estate, tmp_path / "state", {})
    assert f"{tmp_path}/read-only: not writable; the lab needs control groups of its own" in said
