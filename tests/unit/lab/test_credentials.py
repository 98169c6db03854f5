"""Which pods get a token of their account, and when the API is asked for it."""

import asyncio
import time

import pytest

from stormlab import accounts, pki
from stormlab.client import ApiError
from stormlab.node.credentials import PLACE, mounts
from stormlab.node.downward import ConfigError
from stormlab.node.podspec import parse


class Api:
    """Has the accounts `default` and `shy`, and counts."""

    def __init__(self):
        self.asked = 0

    async def get(self, path):
        self.asked += 1
        accounts_there = {"default": {}, "shy": {"automountServiceAccountToken": False}}
        name = path.rpartition("/")[2]
        if name not in accounts_there:
            raise ApiError(404, "NotFound", f'serviceaccounts "{name}" not found')
        return {"metadata": {"uid": f"uid-of-{name}"}, **accounts_there[name]}


@pytest.fixture(scope="module")
def trust(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    pki.ensure(state, ["city1"])
    return state / "pki"


def given(place, trust, api, **spec):
    container = {"name": "c", "image": "i", "command": ["x"]}
    metadata = {"uid": "u", "namespace": "bank", "name": "p"}
    pod = parse({"metadata": metadata, "spec": {"containers": [container], **spec}})
    return asyncio.run(mounts(pod, place, trust, api))


def test_three_files_of_the_pods_account(tmp_path, trust):
    (mount,) = given(tmp_path, trust, Api())
    assert (mount.target, mount.read_only) == (PLACE, True)
    files = {path.name: path.read_text() for path in (tmp_path / "serviceaccount").iterdir()}
    assert files.keys() == {"token", "ca.crt", "namespace"}
    assert files["namespace"] == "bank"
    assert files["ca.crt"] == (trust / "ca.crt").read_text()
    found = accounts.verify(accounts.key(trust), files["token"], time.time())
    assert found == accounts.Account("bank", "default", "uid-of-default", "p", "u")


def test_a_pod_that_starts_again_asks_nobody(tmp_path, trust):
    api = Api()
    assert given(tmp_path, trust, api) == given(tmp_path, trust, api)
    assert api.asked == 1


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"automountServiceAccountToken": False}, 0),
        ({"serviceAccountName": "shy"}, 0),
        ({"serviceAccountName": "shy", "automountServiceAccountToken": True}, 1),
    ],
)
def test_the_pod_decides_before_its_account(tmp_path, trust, spec, count):
    assert len(given(tmp_path, trust, Api(), **spec)) == count


def test_an_account_that_is_not_there(tmp_path, trust):
    with pytest.raises(ConfigError, match="nobody"):
        given(tmp_path, trust, Api(), serviceAccountName="nobody")
