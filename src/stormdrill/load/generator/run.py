"""One generator from ready to done: the clock, the keeper beside it, and an orderly end."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.monkey import get_original
from gevent.pool import Group

from stormdrill.errors import StormdrillError
from stormdrill.load.channel import Channel
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.moment import PhaseEnd, Stop, elapse
from stormdrill.load.generator.running import Running
from stormdrill.load.generator.wire import Wire
from stormdrill.load.keeper import BEAT_S, Keeper, flush
from stormdrill.load.recorder import Recorder
from stormdrill.load.tally import Tally
from stormdrill.units import NS_PER_S

DRAIN_S = 2.0
_LEAD_NS = NS_PER_S // 10
_KEEPER_END_S = 0.5


class Load(Protocol):
    """Something that offers demand by the clock."""

    def start(self, running: Running) -> None:
        """Begin to offer; what is sent runs in `running.work` and ends on PhaseEnd."""

    def finish(self) -> None:
        """Record what was due and is still unserved."""


def run(config: LoadConfig, wire: Wire, load: Load, channel: Channel, stop: Stop) -> None:
    """Offer the load until `stop`, give what is in flight 2 s, record the rest as unknown.

    StormdrillError when a part of the generator broke (a full disk, a locustfile that raises).
    """
    gc.collect()
    gc.freeze()  # what is there now stays: no pause for it later
    start_ns = time.monotonic_ns() + _LEAD_NS
    tally = Tally([operation.name for operation in config.operations], start_ns)
    recorder = Recorder(config, tally)
    keeper = Keeper(config, tally, channel)
    keeping = _Thread(lambda sleep, ended: keeper.run(sleep, start_ns, ended), stop)
    flushing = _Thread(lambda sleep, ended: flush(recorder.sync, sleep, ended), stop)
    work = Group()
    gevent.spawn(_beat, keeper)
    load.start(Running(config, wire, recorder, tally, stop, work, start_ns))
    channel.say({"ready": start_ns})
    stop.wait()
    tally.close(stop.at_ns)
    work.join(timeout=DRAIN_S)
    work.kill(PhaseEnd, timeout=_KEEPER_END_S)
    load.finish()
    keeping.end()
    flushing.end()
    keeper.finish()
    recorder.close()
    if stop.why:
        raise StormdrillError(stop.why)
    channel.say({"done": True})


def _beat(keeper: Keeper) -> None:
    while True:
        keeper.pulse.beat()
        elapse(BEAT_S)


class _Thread:
    """A thread that the interpreter's patching has not turned into a greenlet; `body` gets sleep and ended."""

    def __init__(
        self, body: Callable[[Callable[[float], None], Callable[[], bool]], None], stop: Stop
    ) -> None:
        self._body, self._stop = body, stop
        self._ending = False
        self._done = get_original("_thread", "allocate_lock")()
        self._done.acquire()
        get_original("_thread", "start_new_thread")(self._run, ())

    def end(self) -> None:
        """Ask the thread to end and wait for it."""
        self._ending = True
        self._done.acquire(timeout=_KEEPER_END_S)

    def _run(self) -> None:
        try:
            self._body(get_original("time", "sleep"), lambda: self._ending)
        except Exception as error:  # noqa: BLE001 - a full disk or a bug: a load that nobody watches must end
            self._stop.why = f"{type(error).__name__}: {error}"
            os.kill(os.getpid(), signal.SIGTERM)  # the loop's own way to stop; its events are not for threads
        finally:
            self._done.release()
