"""The presets in the compact form: `small` is what was once written by hand, `full` is two cells over two sites."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from stormdrill import topology
from stormlab import topologyfile

TOPOLOGY = Path(__file__).parents[3] / "topology"
BY_HAND = Path(__file__).with_name("small-in-full.yaml")
ELSEWHERE = {"path", "sha256", "lines", "source", "overlays", "continuity", "regions", "preset"}


@pytest.fixture
def by_hand(tmp_path):
    """The full form of `small`, where its files are."""
    for name in ("continuity.yaml", "prometheus"):
        (tmp_path / name).symlink_to(TOPOLOGY / name)
    path = tmp_path / "small.yaml"
    path.write_text(BY_HAND.read_text())
    return path


def by_name(lab):
    """The same lab with its forwards in an order that does not depend on how they were stated."""
    return dataclasses.replace(lab, forwards=tuple(sorted(lab.forwards, key=lambda each: each.name)))


def differences(one, other):
    names = {field.name for field in dataclasses.fields(one)} - ELSEWHERE
    return {name for name in names if getattr(one, name) != getattr(other, name)}


def test_the_harness_reads_small_as_it_was_written_by_hand(by_hand):
    small, whole = topology.load(TOPOLOGY / "small.yaml"), topology.load(by_hand)
    assert differences(small, whole) == set()
    assert small.regions == whole.regions


def test_the_lab_reads_small_as_it_was_written_by_hand(by_hand):
    small, whole = by_name(topologyfile.load(TOPOLOGY / "small.yaml")), by_name(topologyfile.load(by_hand))
    assert differences(small, whole) == set()
    assert [dataclasses.replace(region, manifests=None) for region in whole.regions] == list(small.regions)
    for name in ("secrets", "ready", "names", "outside"):
        assert getattr(small.preset, name) == getattr(whole.preset, name)


def test_both_presets_say_the_same_of_the_bank():
    small, full = (yaml.safe_load((TOPOLOGY / name).read_text()) for name in ("small.yaml", "full.yaml"))
    own = {"name", "cells", "lab"}
    assert {key: value for key, value in small.items() if key not in own} == {
        key: value for key, value in full.items() if key not in own
    }


def test_presets_live_side_by_side():
    small, full = (topologyfile.load(TOPOLOGY / name) for name in ("small.yaml", "full.yaml"))

    def ports(lab):
        return {entry.listen for entry in lab.forwards} | {region.api_port for region in lab.regions}

    assert not ports(small) & ports(full)
    assert small.network != full.network
    assert small.name != full.name


def test_each_cell_of_full_has_its_primary_in_another_zone():
    full = topology.load(TOPOLOGY / "full.yaml")
    founders = {cell: next(iter(database.home.members)) for cell, database in full.databases.items()}
    assert founders == {"cell0": "pg-city1-a-0", "cell1": "pg-cell1-city1-b-0"}
    assert {database.standby.region for database in full.databases.values()} == {"city2"}
    notes = topologyfile.load(TOPOLOGY / "full.yaml").preset.notes
    assert [note for note in notes if "unprotected after a promotion in city2" in note] == list(notes)
    assert len(notes) == 2
