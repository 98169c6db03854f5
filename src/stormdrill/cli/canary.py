"""`stormdrill canary`: arguments to a canary that runs until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Iterator, Mapping

from stormdrill.canary.board import Path as Way
from stormdrill.canary.lookup import Names
from stormdrill.canary.place import Api, zone_of
from stormdrill.canary.services import Target, target_of
from stormdrill.canary.watching import Settings, watch
from stormdrill.canary.wire import is_zone
from stormdrill.errors import ExitCode, InputError


def canary(arguments: argparse.Namespace) -> int:
    """Run a canary until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = _settings(arguments, os.environ)
    asyncio.run(watch(settings))
    return ExitCode.PASS


def _settings(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Raises InputError for what does not fit."""
    api = (environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", ""))
    plane = arguments.control_plane or (":".join(api) if all(api) else "")
    try:
        targets = (*_targets(arguments.database, Way.DATABASE), *_targets([plane], Way.CONTROL_PLANE))
    except ValueError as error:
        raise InputError(str(error)) from None
    zone = arguments.zone
    if zone is None:
        if not all(api):
            raise InputError(
                "--node asks the Kubernetes API, and KUBERNETES_SERVICE_HOST is not set; give --zone"
            )
        zone = zone_of(arguments.node, Api(api[0], int(api[1])))
    if not is_zone(zone):
        raise InputError(f"not the name of a zone: {zone!r}")
    return Settings(
        zone=zone,
        peers=tuple(Names(name) for name in _words(arguments.peers)),
        targets=targets,
        listen=arguments.listen,
        port=arguments.port,
        metrics_port=arguments.metrics_port,
    )


def _targets(lists: list[str], path: Way) -> Iterator[Target]:
    for word in _words(lists):
        yield target_of(word, path)


def _words(lists: list[str]) -> Iterator[str]:
    """Yield the parts of comma separated lists; empty ones come from settings that are not set."""
    for text in lists:
        yield from filter(None, (part.strip() for part in text.split(",")))
