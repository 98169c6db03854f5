"""The right of way on a full machine: a nice value that holds also where the kernel groups by session."""

from __future__ import annotations

import os
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def go_before_others(nice: int) -> bool:
    """Give this process that nice value (-20 to 19) against the whole machine; False without the right to.

    With autogrouping (sched(7), the default of many distributions) a nice value counts only among the processes
    of one session, and the sessions weigh the same: a session of its own then needs the value as a whole. A
    session shared with others, a user's shell say, keeps its value: it would outlive this process.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        if os.getsid(0) == os.getpid() and _AUTOGROUP.exists():
            _AUTOGROUP.write_text(str(nice), encoding="ascii")
    except OSError:
        return False
    return True
