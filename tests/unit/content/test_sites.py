"""The two sites of a database in the topology: what is read, and every mistake with its line."""

import re
from pathlib import Path

import pytest

from stormdrill import topology
from stormdrill.errors import InputError

UNIT = Path(__file__).parents[1]
SMALL = UNIT / "estate" / "small-in-full.yaml"
CONTINUITY = UNIT.parents[1] / "topology" / "continuity.yaml"


def load(tmp_path, old="", new=""):
    text = SMALL.read_text()
    assert old in text
    (tmp_path / "t.yaml").write_text(text.replace(old, new, 1) if old else text)
    (tmp_path / "continuity.yaml").write_text(CONTINUITY.read_text())
    return topology.load(tmp_path / "t.yaml")


def test_small_has_a_home_and_a_standby(tmp_path):
    database = load(tmp_path).databases["cell0"]
    assert database.home.members == database.members
    assert database.home.stateful_sets == {"pg-city1-a": ("pg-city1-a-0",), "pg-city1-b": ("pg-city1-b-0",)}
    assert (database.standby.region, database.standby.slot) == ("city2", "city2")
    assert set(database.standby.members) == {"pg-city2-a-0"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    standby:\n      region: city2", "    standby:\n      region: city1", "both in city1"),
        ("    standby:\n      region: city2", "    standby:\n      region: city3", "city3"),
        ("      slot: city2", "      slot: city1", "the same slot"),
        ("      slot: city2", "      slot: City-2", "small letters"),
        ("members: {pg-city2-a-0:", "members: {pg-city1-a-0:", "named in both sites"),
        (
            "dbname=bank user=auditor connect_timeout=3\n    standby",
            "password=x\n    standby",
            "no password here",
        ),
        ("edges: {selector: {app: edge}", "edges: {selector: {}", "empty selector"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, old, new, said):
    with pytest.raises(InputError) as caught:
        load(tmp_path, old, new)
    assert re.search(rf"t\.yaml:\d+: .*{said}", str(caught.value)), str(caught.value)
