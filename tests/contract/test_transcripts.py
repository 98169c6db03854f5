"""The recorded conversations, replayed: status, reason, code, details, messages, bodies, events in order.

Recordings: `recorded/NN-topic.json`, from a Kubernetes 1.31 control plane. Differences that are left are
listed with their reasons in `differences.yaml`, and the list is kept true by these tests.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from stormlab.api.web.users import User

from . import amended
from .cited import RECORDING, cites
from .conftest import Region
from .listed import AMENDED, IGNORED, LISTED, UNPLAYED
from .replay import RECORDED, Difference, Replay
from .served import serve
from .topics import prepared
from .wire import wire

pytestmark = cites(RECORDING)

WHOLE = pytest.mark.own_server(
    "the recorded conversations need nodes, pods and a history as they were recorded"
)

TOPICS = sorted({path.name[:2] for path in RECORDED.glob("*.json")} - UNPLAYED)
AGENT = User("system:serviceaccount:t18:agent", ("system:authenticated",))
USERS = {"nobody": "", "bad token": "no-such-token", AGENT.name: "agent-token"}


def entries(topic: str, *, skip: bool) -> list[dict[str, Any]]:
    """Those of a topic that skip calls, or those that explain differences."""
    listed = [entry for entry in LISTED if topic == entry["topic"] and bool(entry.get("skip")) == skip]
    return [entry for entry in listed if not entry.keys() & {"ignored", "states", "amended"}]


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
        "07",
        to.url,
        headers=to.headers,
        tls=to.tls,
        ignore=IGNORED.get("07", frozenset()),
        known={"t07": namespace},
    )
    asyncio.run(replay.run())
    found = surprises(replay)
    assert not found, "\n".join(found)


def calls_of(topic: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(next(RECORDED.glob(f"{topic}-*.json")).read_text())
    return listed


def test_every_recorded_topic_is_known() -> None:
    known = [*TOPICS, *sorted(UNPLAYED)]
    assert known == [f"{number:02}" for number in range(1, 24)]


@pytest.mark.parametrize("topic", sorted(UNPLAYED))
def test_what_cannot_be_replayed_is_listed_call_by_call(topic: str) -> None:
    listed = sorted(number for entry in entries(topic, skip=True) for number in entry["ids"])
    assert listed == [call["id"] for call in calls_of(topic)]


@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_changed_in_a_recording_is_listed(topic: str) -> None:
    amend = amended.TOPICS.get(topic, {}).get("amend", list)
    now = {call["id"]: call for call in amend(calls_of(topic))}
    changed = {call["id"] for call in calls_of(topic) if now.get(call["id"]) != call}
    assert changed == AMENDED.get(topic, frozenset())


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
