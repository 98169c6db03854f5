"""The recorded conversations, replayed: status, reason, code, details, messages, bodies, events in order.

Recordings: `recorded/NN-topic.json`, from a Kubernetes 1.31 control plane. Differences that are left are
listed with their reasons in `differences.yaml`, and the list is kept true by these tests.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from stormlab.api.web.users import User

from . import amended
from .cited import RECORDING, cites
from .conftest import Region
from .ignored import IGNORE
from .replay import Difference, Replay
from .served import serve
from .topics import prepared
from .wire import wire

pytestmark = cites(RECORDING)

WHOLE = pytest.mark.own_server(
    "the recorded conversations need nodes, pods and a history as they were recorded"
)

TOPICS = [
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "07",
    "08",
    "09",
    "10",
    "11",
    "12",
    "13",
    "14",
    "15",
    "16",
    "17",
    "18",
]
LISTED: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "differences.yaml").read_text())
AGENT = User("system:serviceaccount:t18:agent", ("system:authenticated",))
USERS = {"nobody": "", "bad token": "no-such-token", AGENT.name: "agent-token"}


def entries(topic: str, *, skip: bool) -> list[dict[str, Any]]:
    return [entry for entry in LISTED if entry["topic"] == topic and bool(entry.get("skip")) == skip]


async def replay_topic(topic: str) -> Replay:
    skipped = frozenset(number for entry in entries(topic, skip=True) for number in entry["ids"])
    async with serve(users={"agent-token": AGENT}) as served:
        replay = Replay(topic, served.url, users=USERS, **amended.TOPICS.get(topic, {}))
        async with prepared(served, replay):
            await replay.run(skipped)
        return replay


@pytest.fixture(scope="module")
def replays() -> dict[str, Replay]:
    """All topics at once, each against a server of its own: waiting is most of what they do."""

    async def everything() -> list[Replay]:
        return await asyncio.gather(*(replay_topic(topic) for topic in TOPICS))

    return dict(zip(TOPICS, asyncio.run(everything()), strict=True))


def explains(entry: dict[str, Any], difference: Difference) -> bool:
    where = entry.get("where")
    return difference.id in entry["ids"] and (where is None or difference.what.startswith(tuple(where)))


def surprises(replay: Replay) -> list[str]:
    assert replay.played, "nothing was replayed"
    listed = entries(replay.topic, skip=False)
    return [
        f"#{item.id} {item.what}: {item.detail}"
        for item in replay.found
        if not any(explains(entry, item) for entry in listed)
    ]


@WHOLE
@pytest.mark.parametrize("topic", TOPICS)
def test_answers_are_those_recorded(topic: str, replays: dict[str, Replay]) -> None:
    found = surprises(replays[topic])
    assert not found, "\n".join(found)


def test_misspelt_fields_are_answered_as_recorded(region: Region, namespace: str) -> None:
    """Topic 07 once more: of all that was recorded it needs no more than a namespace, so any cluster can be asked."""
    to = wire(region)
    replay = Replay(
        "07", to.url, headers=to.headers, tls=to.tls, ignore=IGNORE["07"], known={"t07": namespace}
    )
    asyncio.run(replay.run())
    found = surprises(replay)
    assert not found, "\n".join(found)


@WHOLE
@pytest.mark.parametrize("topic", TOPICS)
def test_listed_differences_still_exist(topic: str, replays: dict[str, Replay]) -> None:
    found = replays[topic].found
    stale = [
        (number, entry["why"])
        for entry in entries(topic, skip=False)
        for number in entry["ids"]
        if not any(explains({**entry, "ids": [number]}, item) for item in found)
    ]
    assert not stale
