"""The agent as a process: its threads, its signals, and the order in which they begin and end."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stormdrill.agent import watch
from stormdrill.agent.access import Access
from stormdrill.agent.engine import Engine, Stop
from stormdrill.agent.exposition import serve
from stormdrill.agent.grip import Grip, Place
from stormdrill.agent.records import Records
from stormdrill.agent.report import Reporter
from stormdrill.priority import go_before_others

_LAST_WORDS_S = 2.0
_ENDS = (signal.SIGTERM, signal.SIGINT)
_NICE = -10
"""A node at its limit must not keep a fault longer than its lease."""


@dataclass(frozen=True)
class Options:
    """What one agent is told. `spare`: labels of our own pods that a site loss leaves alone."""

    node: str
    state: Path
    cgroup: Path
    listen: tuple[str, int]
    spare: Mapping[str, str] = field(default_factory=dict)


def run(options: Options, access: Access) -> None:
    """Be the agent until SIGTERM or SIGINT, which take every fault away. InputError when it cannot begin.

    What was left by an earlier agent is ended before the first word to the API server.
    """
    go_before_others(_NICE)
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # for the thread that waits for them
    inbox: watch.Inbox = queue.Queue()
    contact = watch.Contact()
    records = Records(options.state)
    reporter = Reporter(access, options.node, inbox, contact)
    agent = os.environ.get("POD_NAME") or socket.gethostname()
    grip = Grip(Place(options.node, agent, options.cgroup, options.spare), records, reporter)
    with suppress(OSError):
        grip.api = tuple(access.addresses())
    engine = Engine(options.node, grip, inbox)
    grip.take_up()
    pages = serve(options.listen, engine, contact)
    _thread("signals", _await_end, inbox)
    _thread("pages", pages.serve_forever)
    _thread("reporter", reporter.run)
    _thread("watch", watch.watch, access, inbox, contact)
    engine.run()
    reporter.told(_LAST_WORDS_S)
    records.close()


def _await_end(inbox: watch.Inbox) -> None:
    """No handler: it would interrupt whoever holds the inbox, and wait for him."""
    while True:
        signal.sigwait(_ENDS)
        inbox.put(Stop())


def _thread(name: str, body: object, *arguments: object) -> None:
    threading.Thread(target=body, args=arguments, name=name, daemon=True).start()  # type: ignore[arg-type]
