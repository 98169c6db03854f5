"""The load child: `python -m stormdrill.load.child`, configuration as JSON on stdin; `process` is its parent.

Importing Locust patches the whole interpreter, so this module is imported by nobody: it is a program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

import locust  # first: everything after it lives in the patched interpreter
from gevent.monkey import get_original
from gevent.signal import signal as loop_signal
from locust.env import Environment

from stormdrill.errors import ExitCode, StormdrillError
from stormdrill.load.channel import Channel
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator import locustfile, run
from stormdrill.load.generator.moment import Stop
from stormdrill.load.generator.phone_load import PhoneLoad
from stormdrill.load.generator.plain_load import PlainLoad
from stormdrill.load.generator.wire import Wire
from stormdrill.priority import go_before_others

_PR_SET_PDEATHSIG = 1
_NICE = -15


def main() -> int:
    """Run one generator to its end. Exit 0 after an orderly stop, 2 when it could not start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = LoadConfig.from_text(sys.stdin.read())
    _die_with(config.parent_pid)
    go_before_others(_NICE)  # a late generator makes a run worthless
    channel = Channel(config.channel_fd, get_original("_thread", "allocate_lock")(), _gone)
    stop = Stop()
    loop_signal(signal.SIGTERM, lambda *_: stop.now())
    try:
        _load(config, channel, stop)
    except (StormdrillError, OSError) as error:
        channel.say({"error": str(error)})
        print(error, file=sys.stderr)
        return int(ExitCode.BAD_INPUT)
    return 0


def _load(config: LoadConfig, channel: Channel, stop: Stop) -> None:
    classes = locustfile.load(config.locustfile)
    wire = Wire(config.edges, config.profile.app.connect_timeout_s, config.authorities)
    environment: Any = Environment(events=locust.events)
    load: PhoneLoad | PlainLoad
    if classes.phone is not None:
        load = PhoneLoad(config, wire, classes.phone, environment)
    else:
        load = PlainLoad(config, classes.plain, environment)
    load.prepare()
    run.run(config, wire, load, channel, stop)


def _die_with(parent_pid: int) -> None:
    """SIGKILL for us when the parent dies, or now if it already has."""
    if parent_pid:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            _gone()


def _gone() -> None:
    os._exit(int(ExitCode.ABORTED))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # everything is on disk; greenlets and threads need no farewell
