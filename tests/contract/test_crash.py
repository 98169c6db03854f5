"""kill -9 of the API process: what it acknowledged is there, and a watcher's old version is 410 or exact.

Kubernetes documentation: "API concepts", resource versions; clients must handle 410 Gone by listing again.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from stormlab.wait import until

from .cited import GONE, RESOURCE_VERSIONS, cites
from .conftest import Region, api_client, prepare_state

pytestmark = [pytest.mark.own_server("it kills the server"), cites(GONE, RESOURCE_VERSIONS)]

PROGRAM = """
import asyncio, sys
from pathlib import Path
from stormlab.api.main import Settings, run
asyncio.run(run(Settings(Path(sys.argv[1]), "city1", int(sys.argv[2]), "10.96.0.0/16")))
"""


def start(region: Region) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", PROGRAM, str(region.state), str(region.port)]
    process = subprocess.Popen(argv)

    def answers() -> bool:
        assert process.poll() is None
        try:
            client.CoreV1Api(api_client(region)).read_namespace("kube-system", _request_timeout=1)
        except (ApiException, HTTPError):
            return False
        return True

    until(answers, "the API answers", 10)
    return process


def version_of(body: Any) -> int:
    return int(body.metadata.resource_version)


@pytest.mark.timeout(60)
def test_state_survives_kill_9(tmp_path: Path) -> None:
    region = prepare_state(tmp_path)
    process = start(region)
    core = client.CoreV1Api(api_client(region))
    identity = core.read_namespace("kube-system").metadata.uid
    for index in range(50):
        core.create_namespaced_config_map(
            "default", {"metadata": {"name": f"c{index}"}, "data": {"n": str(index)}}
        )
    core.delete_namespaced_config_map("c49", "default")
    last = core.patch_namespaced_config_map("c7", "default", {"data": {"n": "changed"}})
    gone_version = version_of(core.create_namespaced_config_map("default", {"metadata": {"name": "x"}}))
    core.delete_namespaced_config_map("x", "default")
    process.send_signal(signal.SIGKILL)
    process.wait()

    process = start(region)
    try:
        core = client.CoreV1Api(api_client(region))
        assert core.read_namespace("kube-system").metadata.uid == identity
        listed = core.list_namespaced_config_map("default")
        assert {item.metadata.name for item in listed.items} == {
            "kube-root-ca.crt",
            *(f"c{i}" for i in range(49)),
        }
        kept = core.read_namespaced_config_map("c7", "default")
        assert (kept.data, kept.metadata.uid, kept.metadata.resource_version) == (
            {"n": "changed"}, last.metadata.uid, last.metadata.resource_version
        )  # fmt: skip
        # No version is given out twice, not even one whose object is gone.
        assert version_of(listed) > gone_version
        made = core.create_namespaced_config_map("default", {"metadata": {"name": "y"}})
        assert version_of(made) > version_of(listed)
        with pytest.raises(ApiException) as caught:
            core.create_namespaced_config_map("default", {"metadata": {"name": "c7"}})
        assert caught.value.status == 409
        # History before the crash is forgotten: a watch from there is told so at once.
        answer = core.list_namespaced_config_map(
            "default", watch=True, resource_version="1", timeout_seconds=1, _preload_content=False
        )
        event = json.loads(answer.data)
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == (
            "ERROR",
            410,
            "Expired",
        )
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
