"""The right of way holds against other sessions, and a session that is shared with others keeps its own."""

import subprocess
import sys
from pathlib import Path

import pytest

AUTOGROUP = Path("/proc/self/autogroup")
PROGRAM = """
import os, pathlib
from {package}.priority import go_before_others
assert go_before_others(3)
print(os.getpriority(os.PRIO_PROCESS, 0), pathlib.Path("/proc/self/autogroup").read_text().split()[-1])
"""


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not group by session")
@pytest.mark.parametrize("package", ["stormdrill", "stormlab"])
@pytest.mark.parametrize("own_session", [True, False])
def test_the_value_is_the_sessions_too_where_the_session_is_ours(package, own_session):
    program = PROGRAM.format(package=package)
    argv = [sys.executable, "-c", program]
    if not own_session:  # a session whose leader is somebody else, and ends with it
        argv = ["sh", "-c", f'"{sys.executable}" -c "$1"; true', "sh", program]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, start_new_session=True)
    assert done.stdout.split() == ["3", "3" if own_session else "0"], done.stderr
