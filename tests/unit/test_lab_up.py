"""What `up` finds of a lab that was there before."""

from pathlib import Path

import pytest

from stormlab import topologyfile
from stormlab.up import _other_estate

TOPOLOGY = """\
name: tup
regions: {r: {zones: [a, b]}}
lab: {network: 10.77.0.0/16, api_ports: {r: 26999}}
"""


def estate(place: Path, old: str = "", new: str = ""):
    path = place / "t.yaml"
    path.write_text(TOPOLOGY.replace(old, new))
    return topologyfile.load(path)


@pytest.mark.parametrize(("old", "new"), [("[a, b]", "[a]"), ("26999", "26998"), ("10.77", "10.78")])
def test_a_stopped_lab_does_not_come_up_on_another_topology(tmp_path, old, new):
    state = tmp_path / "state"
    topologyfile.keep(estate(tmp_path), state)
    assert _other_estate(estate(tmp_path), state) == []
    (said,) = _other_estate(estate(tmp_path, old, new), state)
    assert "lab 'tup' was made with other regions, zones, ports or images: take it down first" in said


def test_what_up_had_hardly_begun_is_no_other_lab(tmp_path):
    state = tmp_path / "state"
    assert _other_estate(estate(tmp_path), state) == []
    topologyfile.keep(estate(tmp_path), state)
    (state / "topology.yaml").unlink()
    assert _other_estate(estate(tmp_path, "[a, b]", "[a]"), state) == []
