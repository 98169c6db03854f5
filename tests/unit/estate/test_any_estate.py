"""Any estate that can be stated: both readers take what follows from it, and nothing is given out twice."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stormlab.topologyfile import keep, of_state


@st.composite
def estates(draw):
    """Regions of one to four sites, with a witness or without; cells at home anywhere, followed from anywhere else."""
    regions, zones = {}, {}
    for number in range(1, draw(st.integers(1, 4)) + 1):
        name = f"r{number}"
        zones[name] = [f"{name}-{letter}" for letter in "abcd"[: draw(st.integers(1, 4))]]
        even = len(zones[name]) % 2 == 0
        witness = even and draw(st.booleans())
        regions[name] = {"zones": zones[name] + ([f"{name}-w"] if witness else [])}
        if even:
            regions[name]["witness"] = f"{name}-w" if witness else "none"
    cells = {}
    for number in range(draw(st.integers(1, 4))):
        home = draw(st.sampled_from(sorted(regions)))
        first, *others = draw(st.permutations(zones[home]))
        elsewhere = sorted(zone for region, names in zones.items() if region != home for zone in names)
        remote = draw(st.lists(st.sampled_from(elsewhere), unique=True, max_size=3)) if elsewhere else []
        standby = others[: draw(st.integers(0, len(others)))]
        cells[f"c{number}"] = {"primary": first, "standby": standby, "remote": remote}
    return regions, cells


@settings(deadline=None, derandomize=True, max_examples=40)
@given(estates())
def test_both_readers_take_what_follows(make_estate, stated):
    regions, cells = stated
    estate = make_estate()
    body = yaml.safe_load(estate.path.read_text())
    body |= {"regions": regions, "cells": cells}
    estate.path.write_text(yaml.safe_dump(body, sort_keys=False))
    # Whether its objectives can be kept is another question.
    text = estate.path.with_name("continuity.yaml").read_text()
    estate.path.with_name("continuity.yaml").write_text(text.replace("0s [U]", "9s [U]"))
    harness, lab = estate.harness(), estate.lab()
    assert list(harness.databases) == list(cells)
    assert [zone.name for zone in lab.zones] == [
        zone for region in regions.values() for zone in region["zones"]
    ]
    listen = [entry.listen for entry in lab.forwards] + [region.api_port for region in lab.regions]
    assert len(set(listen)) == len(listen)
    inside = [(entry.zone, entry.port) for entry in lab.forwards if entry.zone]
    assert len(set(inside)) == len(inside)
    members = [name for database in harness.databases.values() for name in database.members]
    members += [name for base in harness.databases.values() if base.standby for name in base.standby.members]
    assert len(set(members)) == len(members)
    for region in regions:
        initial = yaml.safe_load(estate.expansion().overlays[f"{region}/bank/kustomization.yaml"])
        (etcd,) = [part for part in initial["configMapGenerator"] if part["name"] == "etcd"]
        assert etcd["literals"][0].count("http://") % 2 == 1


def test_the_lab_s_own_copy_gives_the_same_estate_when_the_file_is_gone(estate, tmp_path):
    lab = estate.lab()
    keep(lab, tmp_path)
    estate.path.unlink()
    assert of_state(tmp_path) == lab
    assert lab.preset.notes
