import os

import pytest

from .network import network
from .rig import Rig

if os.geteuid() != 0:
    collect_ignore_glob = ["test_*_on_a_node.py"]


@pytest.fixture(scope="session")
def places():
    with network() as made:
        yield made


@pytest.fixture
def rig(tmp_path, places):
    made = Rig(tmp_path, places)
    yield made
    made.close()
    for table in [*made.tables(), "stormdrill-agent"]:
        made.node.run("sh", "-c", f"nft delete table inet {table} 2>/dev/null || true")
