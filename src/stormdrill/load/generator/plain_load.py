"""The load of a plain locustfile: tasks started by the clock, each on a user that is free.

Locust would let its users decide when they ask; here every arrival is due at its time, runs one task (chosen
by Locust's own weights) on a pooled user, and is dropped and counted when no user is free. `wait_time` has no
meaning here.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from random import Random
from typing import Any

from stormdrill.demand import demand
from stormdrill.errors import InputError
from stormdrill.load.arrivals import poisson
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.moment import PhaseEnd
from stormdrill.load.generator.plain_client import Arrival, on_request
from stormdrill.load.generator.plain_users import PlainUser, PlainUsers
from stormdrill.load.generator.running import Running
from stormdrill.records.layout import Outcome, Reason

_TOLD = 20  # errors of the user's code that are printed in full


class PlainLoad:
    """Prepares (users and their `on_start`), runs and finishes; see `run` for the order."""

    def __init__(self, config: LoadConfig, classes: Sequence[type[Any]], environment: Any) -> None:
        if config.profile.arrivals_per_s is None:
            raise InputError(f"{config.profile.path}: a plain locustfile needs 'arrivals'")
        self._config, self._classes, self._environment = config, classes, environment
        self._users = PlainUsers(config, classes, environment)
        self._random = Random(f"{config.seed}/classes")
        self._usual: dict[type[Any], int] = {}  # the operation that a class's arrivals begin with
        self._told = 0
        self._idle = 0  # arrivals that asked for nothing the topology knows

    def prepare(self) -> None:
        """Tell the locustfile's listeners, make the users. TargetError when an `on_start` fails."""
        self._environment.events.init.fire(environment=self._environment, runner=None, web_ui=None)
        self._environment.events.test_start.fire(environment=self._environment)
        self._users.make()

    def start(self, running: Running) -> None:
        """Let the clock's demand come."""
        self._environment.events.request.add_listener(on_request)
        self._users.watch(running)
        running.spawn(self._arrivals, running)

    def finish(self) -> None:
        """Nothing is left unserved: an arrival is dropped at its due time, or runs."""
        if self._idle:
            print(f"{self._idle} arrivals asked for nothing that the topology knows: not counted as demand")
        self._environment.events.test_stop.fire(environment=self._environment)

    def _arrivals(self, running: Running) -> None:
        profile = self._config.profile
        weights = [each.weight for each in self._classes]
        rng = Random(f"{self._config.seed}/arrivals")
        rate_per_s = demand(profile).sessions_per_s  # of one task each
        for number, due_s in enumerate(poisson(rate_per_s, profile.shape, rng), 1):
            due_ns = running.due_ns(due_s)
            if not running.until(due_ns):
                return
            chosen = self._random.choices(self._classes, weights)[0]
            user = self._users.take(chosen)
            if user is None:
                self._unserved(running, chosen, due_ns, Outcome.DROPPED, Reason.NONE)
            else:
                running.spawn(self._arrival, running, user, number, due_ns, work=True)

    def _arrival(self, running: Running, user: PlainUser, number: int, due_ns: int) -> None:
        arrival = Arrival(running, number, due_ns, user.site)
        error = self._task(user, arrival)
        arrival.end(cut_short=isinstance(error, PhaseEnd))
        if arrival.operations:
            self._usual[type(user.user)] = arrival.operations[0]
        elif isinstance(error, Exception):  # it broke before it could ask
            self._unserved(running, type(user.user), due_ns, Outcome.FAILED, Reason.CONTENT)
        else:
            self._idle += 1
        self._users.give_back(user, elsewhere=arrival.connect_failed)

    def _task(self, user: PlainUser, arrival: Arrival) -> BaseException | None:
        """Run one task; what it raised, PhaseEnd when the end of the load cut it short."""
        if user.client is not None:
            user.client.arrival = arrival
        try:
            user.task()
        except PhaseEnd as end:
            return end
        except Exception as error:  # noqa: BLE001 - a user's task may raise anything; Locust goes on too
            self._told += 1
            if self._told <= _TOLD:
                traceback.print_exception(error)
            self._environment.events.user_error.fire(
                user_instance=user.user, exception=error, tb=error.__traceback__
            )
            return error
        finally:
            if user.client is not None:
                user.client.arrival = None
        return None

    def _unserved(
        self, running: Running, chosen: type[Any], due_ns: int, outcome: Outcome, reason: Reason
    ) -> None:
        operation = self._usual.get(chosen, 0)
        running.tally.planned(operation, due_ns)
        running.recorder.unsent(running.recorder.request(operation, due_ns), outcome, reason)
