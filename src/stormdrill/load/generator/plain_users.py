"""The users of a plain locustfile: made and started before the clock, lent to one arrival at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from gevent.pool import Pool
from locust import FastHttpUser, HttpUser
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser
from locust.user.task import LOCUST_STATE_RUNNING, DefaultTaskSet, TaskSet

from stormdrill.errors import InputError, TargetError
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.plain_client import WatchedClient
from stormdrill.load.generator.running import Running
from stormdrill.load.plain import Names, Unmatched

_AT_ONCE = 8
_ENDS = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser)


class PlainUser:
    """One instance of a user class and its tasks, at edge number `site`."""

    def __init__(self, user: Any, site: int) -> None:
        self.user, self.site = user, site
        self.client: WatchedClient | None = None
        self._nested: dict[type[Any], Any] = {}
        self._root = user._taskset_instance = DefaultTaskSet(user)  # noqa: SLF001 - as Locust's own run()
        user._state = LOCUST_STATE_RUNNING  # noqa: SLF001

    def watch(self, running: Running, names: Names, unmatched: Unmatched) -> None:
        """From now on what is sent within an arrival is recorded."""
        timed = isinstance(self.user, HttpUser)
        self.client = WatchedClient(running, self.user.client, names, unmatched, with_timeout=timed)

    def task(self) -> None:
        """Run one task, chosen by weight; a nested task set gives one of its own."""
        holder, task = self._root, self._root.get_next_task()
        while isinstance(task, type) and issubclass(task, TaskSet):
            if task not in self._nested:
                self._nested[task] = task(holder)
                self._nested[task].on_start()
            holder = self._nested[task]
            task = holder.get_next_task()
        with contextlib.suppress(*_ENDS):
            holder.execute_task(task)


class PlainUsers:
    """A pool for each class, as large as its weight's share of the profile's `users`."""

    def __init__(self, config: LoadConfig, classes: Sequence[type[Any]], environment: Any) -> None:
        for each in classes:
            if not issubclass(each, HttpUser | FastHttpUser):
                raise InputError(f"{config.locustfile}: {each.__name__} is neither HttpUser nor FastHttpUser")
        self._config, self._classes, self._environment = config, classes, environment
        self._urls = [edge.url for edge in config.edges]
        self._free: dict[type[Any], list[PlainUser]] = {each: [] for each in classes}

    def make(self) -> None:
        """Make all users and run their `on_start`. TargetError when one fails."""
        for each in self._classes:
            self._set_defaults(each)
        users = [self._user(each, n) for each in self._classes for n in range(self._share(each))]
        for why in Pool(_AT_ONCE).imap_unordered(_on_start, users):
            if why:
                raise TargetError(f"{self._config.locustfile}: on_start: {why}")
        for user in users:
            self._free[type(user.user)].append(user)

    def watch(self, running: Running) -> None:
        """Record what every user sends from now on."""
        names, unmatched = Names(running.config.operations), Unmatched()
        for users in self._free.values():
            for user in users:
                user.watch(running, names, unmatched)

    def take(self, chosen: type[Any]) -> PlainUser | None:
        """A free user of a class; None when all are busy."""
        return self._free[chosen].pop() if self._free[chosen] else None

    def give_back(self, user: PlainUser, *, elsewhere: bool) -> None:
        """The arrival is over; `elsewhere` moves the user to the next edge, if the edges are its hosts."""
        if elsewhere and self._at_edge(user.user):
            user.site = (user.site + 1) % len(self._urls)
            user.user.client.base_url = self._urls[user.site]
        self._free[type(user.user)].append(user)

    def _set_defaults(self, each: Any) -> None:
        """Timeouts and host, where the file leaves Locust's own."""
        app = self._config.profile.app
        if each.host is None:
            each.host = self._urls[0]
        if issubclass(each, FastHttpUser):
            if each.network_timeout == FastHttpUser.network_timeout:
                each.network_timeout = app.timeout_s
            if each.connection_timeout == FastHttpUser.connection_timeout:
                each.connection_timeout = app.connect_timeout_s

    def _share(self, each: Any) -> int:
        total = sum(every.weight for every in self._classes)
        return max(1, int(self._config.profile.users * each.weight / total))

    def _user(self, each: Any, number: int) -> PlainUser:
        user = each(self._environment)
        if not self._at_edge(user):
            return PlainUser(user, 0)
        site = number % len(self._urls)
        user.client.base_url = self._urls[site]
        return PlainUser(user, site)

    def _at_edge(self, user: Any) -> bool:
        return str(user.client.base_url).rstrip("/") in self._urls


def _on_start(user: PlainUser) -> str:
    try:
        user.user.on_start()
    except Exception as error:  # noqa: BLE001 - a user's on_start may raise anything
        return f"{type(error).__name__}: {error}"
    return ""
