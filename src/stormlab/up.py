"""Bringing a lab up: what runs is adopted, what is missing is made, then wait until it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stormlab import (
    cgroup,
    claimspace,
    cordons,
    credentials,
    daemons,
    maker,
    manifests,
    observe,
    oplock,
    pki,
    preflight,
    ready,
    takenover,
    teardown,
    topologyfile,
)
from stormlab.apply import Applier
from stormlab.client import ApiError, Client
from stormlab.errors import BadInputError, LabError
from stormlab.estate import Estate, state_dir
from stormlab.inventory import Inventory
from stormlab.manifests import Object
from stormlab.net import control, relay, setup
from stormlab.progress import Progress
from stormlab.regions import clients
from stormlab.wait import WaitTimeoutError, until, until_async

_DAEMONS_S = 20.0
_POLL_S = 0.4


@dataclass(frozen=True)
class Up:
    """A lab that is ready."""

    state: Path
    seconds: float
    started: tuple[str, ...]
    """Processes that this call started; empty when everything ran already."""


def up(estate: Estate, progress: Progress, timeout_s: float, made_by: str = "") -> Up:
    """Make the lab as the topology says and return when it is ready.

    In order: render manifests, check the machine, then record and make state directory, control groups,
    networks, trust, secrets, processes and objects. Every step is idempotent, so a call after a SIGKILL
    continues; what a `down` left that was killed is removed first. `made_by` is noted as the lab's maker
    unless some of it runs already. Raises BadInputError when nothing was made because something is wrong
    with files or machine, LabError when the lab does not become ready within `timeout_s` (it then stays as
    it is).
    """
    began = time.monotonic()
    objects, problems = _rendered(estate)
    state = state_dir(estate.name)
    with oplock.held(estate.name, progress.step):
        deadline = time.monotonic() + timeout_s
        _finish_down(state, progress)
        problems += [*preflight.problems(estate, state, objects), *_other_estate(estate, state)]
        if problems:
            raise BadInputError(problems)
        secrets = _prepare(estate, state, made_by)
        progress.step(f"network of {len(estate.sites)} sites, trust and secrets in {state}")
        started = daemons.start_missing(estate, state, Inventory(state))
        progress.step(f"started {', '.join(started)}" if started else "all processes run already")
        for region in objects:
            objects[region] = _with_secrets(objects[region], secrets)
        asyncio.run(_objects_and_wait(estate, state, objects, progress, deadline))
    return Up(state, time.monotonic() - began, tuple(started))


def _finish_down(state: Path, progress: Progress) -> None:
    """Remove the rest of a lab whose `down` was killed: without what is gone already it cannot go on."""
    if os.geteuid() != 0 or not teardown.unfinished(state):
        return
    progress.step("a `down` of this lab did not come to its end: removing the rest first")
    left = teardown.teardown(Inventory(state))
    if left:
        raise LabError("\n".join(["could not remove what an earlier lab left:", *left]))


def _rendered(estate: Estate) -> tuple[dict[str, list[Object]], list[str]]:
    """Objects of each region and what is wrong with them; neither without kubectl, which the preflight misses."""
    if shutil.which("kubectl") is None:
        return {}, []
    try:
        return manifests.render_all(estate), []
    except BadInputError as error:
        return {}, list(error.problems)


def _other_estate(estate: Estate, state: Path) -> list[str]:
    """What is wrong when the lab, running or stopped, has a topology that this one cannot be changed into."""
    try:
        present = topologyfile.of_state(state)
    except BadInputError:
        return []
    made, wanted = _shape(present), _shape(estate)
    other = [part for part, value in wanted.items() if made[part] != value]
    if not other:
        return []
    said = f"lab '{estate.name}' was made with other {' and '.join(other)} than {estate.source} says"
    return [f"{said}: take it down first (`down`), then `up` makes it anew"]


def _shape(estate: Estate) -> Mapping[str, object]:
    """What cannot change in a lab, by name: networks, objects and claims are made for it, its nodes run with it."""
    return {
        "networks": estate.network,
        "regions, zones or ports": [
            (one.name, one.context, [zone.name for zone in one.zones], one.api_port) for one in estate.regions
        ],
        # Of a compact estate they follow from regions and cells alone. A database is founded once and nothing here
        # moves one; what an object that is no more is for stays, so a cell would go on in two places.
        "cells, databases or voters": {} if estate.overlays is None else estate.overlays.files,
        "images": dict(estate.images),
        "kubelet or controller settings": (estate.kubelet, estate.controllers),
    }


def _prepare(estate: Estate, state: Path, made_by: str) -> list[Object]:
    """Everything the processes need before they start; the secret objects."""
    with contextlib.suppress(FileNotFoundError):  # another lab's `down` removed the empty parent just now
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(state, 0o700)  # noqa: PTH101
    topologyfile.keep(estate, state)
    inventory = Inventory(state)
    if not daemons.running(inventory, daemons.wanted(estate, state)):
        maker.record(state, made_by)
    cgroup.make_lab(inventory, estate.cgroup, [zone.name for zone in estate.zones])
    claimspace.make(state, inventory)
    setup.setup(estate, inventory)
    names = [region.name for region in estate.regions]
    services = [str(region.service_network[1]) for region in estate.regions]
    pki.ensure(state, names, hosts=(*pki.DEFAULT_HOSTS, estate.outside.address, *services))
    pki.write_kubeconfig(state, {region.name: region.api_port for region in estate.regions})
    return credentials.ensure(state, estate.preset.secrets)


def _with_secrets(objects: list[Object], secrets: list[Object]) -> list[Object]:
    """The objects of a region with those secrets whose namespace it has, right after the namespaces."""
    names = {part["metadata"]["name"] for part in objects if part["kind"] == "Namespace"}
    mine = [part for part in secrets if part["metadata"]["namespace"] in names]
    first = [part for part in objects if part["kind"] == "Namespace"]
    return [*first, *mine, *(part for part in objects if part["kind"] != "Namespace")]


async def _objects_and_wait(
    estate: Estate, state: Path, objects: Mapping[str, list[Object]], progress: Progress, deadline: float
) -> None:
    async with clients(estate, state) as by_region:
        await _apis_answer(estate, state, by_region)
        await asyncio.gather(*(Applier(by_region[region]).apply(parts) for region, parts in objects.items()))
        count = sum(len(parts) for parts in objects.values())
        progress.step(f"{count} objects in {len(objects)} regions")
        await asyncio.to_thread(_set_links, estate, state)
        for client in by_region.values():
            for name in await cordons.lift(client):
                progress.step(f"{name} was cordoned: it takes pods again")
        missing: list[str] = []

        async def is_ready() -> bool:
            nonlocal missing
            _alive(estate, state)
            missing = await takenover.missing(estate, state)
            missing = missing or await ready.missing(estate, by_region, objects)
            progress.waiting(missing)
            return not missing

        try:
            await until_async(is_ready, "ready", max(0.0, deadline - time.monotonic()), _POLL_S)
        except WaitTimeoutError as error:
            lines = "\n  ".join([*missing, *await _pods_in_trouble(by_region)])
            raise LabError(f"lab '{estate.name}' is up but not ready in time; missing:\n  {lines}") from error


async def _pods_in_trouble(by_region: Mapping[str, Client]) -> list[str]:
    """One line for each pod that is not ready, with the reason."""
    found = []
    for region, client in by_region.items():
        try:
            pods = await observe.pods(client)
        except ApiError as error:
            found.append(f"{region}: {error}")
            continue
        found += [
            f"{region}: pod {pod['metadata']['name']}: {observe.pod_trouble(pod)}"
            for pod in pods
            if not observe.pod_ready(pod)
        ]
    return found


def _alive(estate: Estate, state: Path) -> None:
    """Raise LabError when a process of the lab has ended, with the end of its log."""
    ended = daemons.dead(estate, state, Inventory(state))
    if ended:
        raise LabError("\n".join(ended))


async def _apis_answer(estate: Estate, state: Path, by_region: Mapping[str, Client]) -> None:
    async def answers() -> bool:
        _alive(estate, state)
        try:
            await asyncio.gather(*(client.get("/version") for client in by_region.values()))
        except ApiError as error:
            if error.code not in {0, 503}:
                raise
            return False
        return True

    await until_async(answers, "the API servers answer", _DAEMONS_S)


def _relay_says(path: Path) -> dict[str, Any]:
    """Its state, nothing while it does not answer."""
    with contextlib.suppress(LabError):
        return control.ask(path, {"get": True})
    return {}


def _set_links(estate: Estate, state: Path) -> None:
    """Make each link what the file says, and mend it: a lab that is adopted may have had them changed."""
    path = state / relay.SOCKET
    # The socket alone proves nothing: one that was killed leaves it behind.
    links = until(lambda: _relay_says(path), "the link relay answers", _DAEMONS_S)["links"]
    present = {frozenset(link["between"]): link for link in links}
    for pair, shape in estate.links.items():
        wanted = {**shape.to_json(), "up": True}
        if {key: present.get(pair, {}).get(key) for key in wanted} != wanted:
            control.ask(path, {"set": {"between": sorted(pair), **wanted}})
