"""The load of a profile with sessions: phones, probes and pulses over one phone class of the locustfile."""

from __future__ import annotations

from typing import Any

from stormdrill.errors import InputError
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator import streams
from stormdrill.load.generator.caller import Caller
from stormdrill.load.generator.later import Later
from stormdrill.load.generator.names import Names
from stormdrill.load.generator.opener import Opener
from stormdrill.load.generator.phone import Phone
from stormdrill.load.generator.phones import Phones
from stormdrill.load.generator.running import Running
from stormdrill.load.generator.sessions import Sessions
from stormdrill.load.generator.visits import visits
from stormdrill.load.generator.wire import Wire


class PhoneLoad:
    """Prepares (tokens), runs and finishes; see `child` for the order."""

    def __init__(self, config: LoadConfig, wire: Wire, phone_class: type[Phone], environment: Any) -> None:
        self._check(config, phone_class)
        self._config, self._class = config, phone_class
        self._opener = Opener(config, wire, phone_class)
        self._names = Names(config)
        phones = Phones(config, phone_class, environment, self._names)
        self._probes = [phones.probes(cell) for cell in range(len(config.cells))]
        self._sessions = Sessions(visits(config), phones)
        self._later: Later | None = None

    def prepare(self) -> None:
        """Fetch tokens of probes and of sessions in progress. TargetError when the bank lets nobody in."""
        self._opener.open_all([phone for phones in self._probes for phone in phones])
        self._sessions.prepare(self._opener)

    def start(self, running: Running) -> None:
        """Let the clock's demand come."""
        caller = Caller(running, self._class, self._names)
        self._names.start(running)
        self._later = Later(running.recorder, running.tally, running.stop)
        names = [operation.name for operation in self._config.operations]
        opening = names.index(self._class.opening()) if self._class.opening() else -1
        running.spawn(self._later.run)
        running.spawn(self._sessions.run, running, caller, self._later, opening)
        for stream in streams.streams(self._config):
            running.spawn(streams.run, stream, running, caller, self._probes[stream.cell])
        running.spawn(self._opener.keep_open, [each for cell in self._probes for each in cell], running.stop)

    def finish(self) -> None:
        """Everything in `work` is over: record what was due and is still unserved."""
        if self._later is not None:
            self._later.finish()

    @staticmethod
    def _check(config: LoadConfig, phone_class: type[Phone]) -> None:
        if config.profile.session is None and not config.profile.probes:
            raise InputError(
                f"{config.profile.path}: no sessions and no probes, but the locustfile has phones"
            )
        steps = phone_class.steps()
        known = {operation.name for operation in config.operations}
        wanted = config.profile.operations
        for names, what in (
            (sorted(wanted - set(steps)), f"{config.locustfile}: {phone_class.__name__} has no step for"),
            (sorted(wanted - known), f"{config.profile.path}: operations unknown to the topology:"),
        ):
            if names:
                raise InputError(f"{what} {', '.join(names)}")
        if phone_class.opening() and phone_class.opening() not in known:
            raise InputError(f"{config.locustfile}: step {phone_class.opening()} is unknown to the topology")
