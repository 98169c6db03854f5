"""Writers and watchers that go on while the API server is killed under them, and know what they were told."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any

import urllib3

from .asking import MERGE, Api, core

LOST = (urllib3.exceptions.HTTPError, OSError)
COLOURS = ("red", "blue")
Version = int


@dataclass
class Writer:
    """Writes objects of its own, one call at a time; `told` is what was acknowledged last: value, or None if gone."""

    name: str
    api: Api
    rng: random.Random
    told: dict[str, str | None] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    doubts: int = 0

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            name = f"{self.name}-{self.rng.randrange(4)}"
            before = self.told.get(name)
            after = None if before is not None and self.rng.random() < 0.3 else f"{self.rng.random()}"
            try:
                self._write(name, before, after)
            except LOST:
                # Nobody knows what became of this one: both may be, nothing else may.
                self.doubts += 1
                found = self._look(name, stop)
                assert found in {before, after}, (
                    f"{name}: {found}, but {before} was told and {after} was asked for"
                )
                after = found
            self.told[name] = after

    def _write(self, name: str, before: str | None, after: str | None) -> None:
        path = core("default", "secrets", name)
        if after is None:
            self.api.done("DELETE", path)
            return
        body = {
            "metadata": {"name": name, "labels": {"colour": self.rng.choice(COLOURS)}},
            "stringData": {"v": after},
        }
        made = (
            self.api.done("POST", core("default", "secrets"), body)
            if before is None
            else self.api.done("PATCH", path, body, MERGE)
        )
        self.versions.append(int(made["metadata"]["resourceVersion"]))

    def _look(self, name: str, stop: threading.Event) -> str | None:
        while True:
            try:
                answer = self.api.get(core("default", "secrets", name))
            except LOST:
                stop.wait(0.05)
                continue
            return None if answer.status == 404 else value(answer.body)


def value(body: dict[str, Any]) -> str:
    import base64

    return base64.b64decode(body["data"]["v"]).decode()


@dataclass
class Watcher:
    """Keeps a view: lists, follows, resumes from where it was, lists again after a 410; reads slowly if told to."""

    api: Api
    query: dict[str, str]
    pause_s: float = 0.0
    view: dict[str, Version] = field(default_factory=dict)
    version: Version = 0
    lists: int = 0
    resumed: int = 0

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                if not self.version:
                    self._list()
                self._follow(stop)
            except LOST:
                self.resumed += 1
                stop.wait(0.05)

    def _list(self) -> None:
        body = self.api.done("GET", core("default", "secrets"), **self.query)
        found = {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in body["items"]}
        self.view, self.version, self.lists = found, int(body["metadata"]["resourceVersion"]), self.lists + 1

    def _follow(self, stop: threading.Event) -> None:
        query = {**self.query, "resourceVersion": str(self.version), "allowWatchBookmarks": "true"}
        for event in self.api.watch(core("default", "secrets"), **query):
            if event["type"] == "ERROR":
                assert event["object"]["code"] == 410
                self.version = 0
                return
            self._apply(event["type"], event["object"]["metadata"])
            if stop.wait(self.pause_s):
                return

    def _apply(self, change: str, meta: dict[str, Any]) -> None:
        version = int(meta["resourceVersion"])
        if change == "BOOKMARK":
            assert version >= self.version
            self.version = version
            return
        name = meta["name"]
        assert version > self.version, f"{change} {name} at {version} after {self.version}"
        assert (change == "ADDED") == (name not in self.view), f"{change} {name}"
        self.version = version
        if change == "DELETED":
            del self.view[name]
        else:
            self.view[name] = version


class Threads:
    """Runs them; what one of them found wrong is raised where they are joined."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._wrong: list[BaseException] = []
        self._all: list[threading.Thread] = []

    def start(self, *workers: Writer | Watcher) -> None:
        for worker in workers:
            thread = threading.Thread(target=self._run, args=(worker,), daemon=True)
            self._all.append(thread)
            thread.start()

    def _run(self, worker: Writer | Watcher) -> None:
        try:
            worker.work(self.stop)
        except BaseException as error:  # noqa: BLE001 -- raised again where it is joined
            self._wrong.append(error)

    def join(self) -> None:
        self.stop.set()
        for thread in self._all:
            thread.join(timeout=30)
            assert not thread.is_alive()
        self.check()

    def check(self) -> None:
        if self._wrong:
            raise self._wrong[0]
