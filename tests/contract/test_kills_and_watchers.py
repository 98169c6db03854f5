"""The API server is killed again and again under writers and watchers: nothing acknowledged is lost, all views agree.

The store itself, with far more interleavings, is in tests/unit/lab_api/test_store_properties.py; here is the real
process with TLS, sockets and its file. The seed is printed; KILL_SEED repeats its choices, though not its timing.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from stormlab.wait import until

from .asking import Api, core
from .cited import GONE, RESOURCE_VERSIONS, WATCH, cites
from .conftest import prepare_state
from .test_crash import start
from .traffic import Threads, Watcher, Writer, value

pytestmark = [pytest.mark.own_server("it kills the server"), cites(WATCH, GONE, RESOURCE_VERSIONS)]
QUERIES: list[tuple[dict[str, str], float]] = [
    ({}, 0.0), ({}, 0.02), ({"labelSelector": "colour=red"}, 0.0), ({"fieldSelector": "metadata.name=a-0"}, 0.0),
]  # fmt: skip


def drive(state: Path, seed: int, kills: int) -> None:
    print(f"KILL_SEED={seed}")
    rng = random.Random(seed)
    region = prepare_state(state)
    process = start(region)
    api = Api.of(region)
    writers = [Writer(name, Api.of(region), random.Random(rng.random())) for name in "abc"]
    watchers = [Watcher(Api.of(region), query, pause_s) for query, pause_s in QUERIES]
    writing, watching = Threads(), Threads()
    try:
        writing.start(*writers)
        watching.start(*watchers)
        for _ in range(kills):
            writing.stop.wait(rng.uniform(0.3, 1.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = start(region)
        writing.join()
        settle(api, watchers, watching)
        judge(api, writers, watchers)
    finally:
        writing.stop.set()
        watching.stop.set()
        process.kill()
        process.wait()


def settle(api: Api, watchers: list[Watcher], watching: Threads) -> None:
    """Wait until each watcher has seen something that was written after all else."""
    body = {"metadata": {"name": "a-0", "labels": {"colour": "red"}}}
    if api.get(core("default", "secrets", "a-0")).status == 200:
        api.done("DELETE", core("default", "secrets", "a-0"))
    last = int(api.done("POST", core("default", "secrets"), body)["metadata"]["resourceVersion"])

    def seen() -> bool:
        watching.check()
        return all(watcher.view.get("a-0") == last for watcher in watchers)

    until(seen, "every watcher has seen the last write", 30)
    watching.join()


def judge(api: Api, writers: list[Writer], watchers: list[Watcher]) -> None:
    for watcher in watchers:
        listed = api.done("GET", core("default", "secrets"), **watcher.query)["items"]
        truth = {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in listed}
        assert watcher.view == truth
        assert watcher.resumed, "no watch was cut off: nothing was tried"
    everything = {
        item["metadata"]["name"]: item for item in api.done("GET", core("default", "secrets"))["items"]
    }
    for writer in writers:
        assert writer.versions == sorted(set(writer.versions)), "versions went back"
        told = {name: text for name, text in writer.told.items() if name != "a-0"}
        assert {name: value(everything[name]) if name in everything else None for name in told} == told
    versions = [version for writer in writers for version in writer.versions]
    assert len(versions) == len(set(versions)), "a version was given out twice"
    assert sum(writer.doubts for writer in writers), "no write was cut off: nothing was tried"


@pytest.mark.timeout(120)
def test_nothing_acknowledged_is_lost_and_views_agree(tmp_path: Path) -> None:
    drive(tmp_path, int(os.environ.get("KILL_SEED", "1")), kills=3)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 12))
def test_nothing_acknowledged_is_lost_for_long(tmp_path: Path, seed: int) -> None:
    drive(tmp_path, seed, kills=8)
