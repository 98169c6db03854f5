import os

import pytest

from .network import network
from .nursery import Agents
from .rig import Api, Rig

if os.geteuid() != 0:
    collect_ignore_glob = ["test_*_on_a_node.py"]


@pytest.fixture(scope="session")
def places():
    with network() as made:
        yield made


@pytest.fixture(scope="session")
def nursery():
    made = Agents()
    yield made
    made.close()


@pytest.fixture(scope="session")
def api(places):
    made = Api(places[2])
    yield made
    made.close()


@pytest.fixture
def rig(tmp_path, places, api, nursery):
    made = Rig(tmp_path, places, api, nursery)
    yield made
    made.close()
    made.node.run("nft", "flush", "ruleset")
