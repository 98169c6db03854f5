"""The objects of the presets, rendered once."""

from pathlib import Path

import pytest

from stormlab import manifests, topologyfile

TOPOLOGY = Path(__file__).parents[2] / "topology"


@pytest.fixture(scope="session")
def small_objects():
    """Objects of preset `small` by region, as `lab up` makes them."""
    return manifests.render_all(topologyfile.load(TOPOLOGY / "small.yaml"))


@pytest.fixture(scope="session")
def full_objects():
    """The same of preset `full`."""
    return manifests.render_all(topologyfile.load(TOPOLOGY / "full.yaml"))
