"""Which tests may run beside each other when pytest-xdist runs several at a time (`make test`)."""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

_LABS = {"bank": "bank", "machine": "machine", "second_estate": "second", "test_life_cycle.py": "tiny"}
"""Tests below tests/lab that have servers or a lab of their own; all others share the lab `small`."""

_TIMED = {"bank", "machine"}  # they measure round trips and slots in milliseconds
_DRILLS = {"small", "second", "tiny"}  # they fill the machine


class ByLab(LoadScopeScheduling):
    """One worker for all tests of a lab, the longest first; the others file by file."""

    def __init__(self, config, log):
        config.option.loadscopereorder = False  # the number of tests says nothing about how long they take
        super().__init__(config, log)

    def _split_scope(self, nodeid):
        file = nodeid.split("::")[0]
        return lab_of(nodeid) or (nodeid if file.endswith("test_whole_drill.py") else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Ours for `--dist loadscope`; the ways that xdist has of its own stay as they are."""
    return ByLab(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if lab_of(item.nodeid) in _TIMED or item.nodeid.startswith("tests/unit/load/"):
            item.add_marker(pytest.mark.quiet)
        if lab_of(item.nodeid) in _DRILLS:
            item.add_marker(pytest.mark.drills)
    order = {"small": 0, "second": 1, "machine": 2, "tiny": 3, "bank": 4, "": 5}
    items.sort(key=lambda item: order[lab_of(item.nodeid)])


def lab_of(nodeid: str) -> str:
    """Who must not meet: the lab or the servers that a test shares with others; empty for those that share none."""
    parts = PurePosixPath(nodeid.split("::", maxsplit=1)[0]).parts
    if parts[:2] != ("tests", "lab"):
        return ""
    return _LABS.get(parts[2], "small")
