"""Which tests may run beside each other when pytest-xdist runs several at a time (`make test`)."""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

_LABS = {
    "bank": "bank",
    "failover": "spare",
    "kills": "spare",
    "lost": "spare",
    "machine": "machine",
    "second_estate": "second",
    "tls": "spare",
    "verdicts": "spare",
    "anykill": "tiny",
    "test_life_cycle.py": "tiny",
    "test_machine_untouched.py": "tiny",
    "test_two_labs.py": "tiny",
}
"""Tests below tests/lab that have servers or a lab of their own; all others share the lab `small`."""

_APART = ("test_whole_drill.py", "test_generator.py")
"""Files of long tests that share nothing: each test goes to any worker."""


_LONGEST_FIRST = {name: at for at, name in enumerate(("small", "second", *_APART, "machine", "bank"))}


class ByLab(LoadScopeScheduling):
    """One worker for all tests of a lab, the longest first; the others file by file."""

    def __init__(self, config, log):
        config.option.loadscopereorder = False  # the number of tests says nothing about how long they take
        super().__init__(config, log)

    def _split_scope(self, nodeid):
        file = nodeid.split("::")[0]
        return lab_of(nodeid) or (nodeid if file.endswith(_APART) else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Ours for `--dist loadscope`; the ways that xdist has of its own stay as they are."""
    return ByLab(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_modifyitems(items):
    """The longest first, or one worker ends long after the others."""
    items.sort(
        key=lambda item: _LONGEST_FIRST.get(lab_of(item.nodeid) or item.path.name, len(_LONGEST_FIRST))
    )


def lab_of(nodeid: str) -> str:
    """Who must not meet: the lab or the servers that a test shares with others; empty for those that share none."""
    parts = PurePosixPath(nodeid.split("::", maxsplit=1)[0]).parts
    if parts[:2] != ("tests", "lab"):
        return ""
    return _LABS.get(parts[2], "small")
