"""Pods as callers: a token lives as long as its account and its pod, and may do what RBAC objects say.

Kubernetes documentation: "Managing Service Accounts", bound tokens; "Using RBAC Authorization".
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from stormlab import accounts

from .cited import RBAC, RBAC_NAMES, TOKENS, cites
from .conftest import Region, api_client

pytestmark = [pytest.mark.own_server("it signs tokens with the lab's key"), cites(TOKENS, RBAC, RBAC_NAMES)]
RBAC_GROUP = "rbac.authorization.k8s.io"


class Caller:
    """A pod of a service account of its own, with a token as its node makes it."""

    def __init__(self, region: Region, namespace: str) -> None:
        self.region, self.namespace = region, namespace
        self.core = client.CoreV1Api(api_client(region))
        self.rbac = client.RbacAuthorizationV1Api(self.core.api_client)
        account = self.core.create_namespaced_service_account(namespace, {"metadata": {"name": "agent"}})
        container = {"name": "c", "image": region.image}
        # Nowhere to run: what runs is not the question here.
        spec = {"containers": [container], "nodeSelector": {"nowhere": "1"}, "serviceAccountName": "agent"}
        pod = self.core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
        holder = accounts.Account(namespace, "agent", account.metadata.uid, "p", pod.metadata.uid)
        self.token = accounts.mint(accounts.key(region.state / "pki"), holder, time.time())
        self.me = client.CoreV1Api(self._as(self.token))

    def _as(self, token: str) -> Any:
        found = self.core.api_client.configuration
        bare = client.Configuration(host=found.host)
        bare.ssl_ca_cert = found.ssl_ca_cert
        return client.ApiClient(bare, header_name="Authorization", header_value=f"Bearer {token}")

    def status(self, **selector: str) -> int:
        try:
            self.me.list_namespaced_pod(self.namespace, **selector)
        except ApiException as error:
            return int(error.status)
        return 200

    def with_token(self, token: str) -> int:
        self.me = client.CoreV1Api(self._as(token))
        return self.status()

    def bind(self, role: str = "Role") -> None:
        subject = {"kind": "ServiceAccount", "name": "agent", "namespace": self.namespace}
        reference = {"apiGroup": RBAC_GROUP, "kind": role, "name": "reader"}
        body = {"metadata": {"name": "reader"}, "subjects": [subject], "roleRef": reference}
        self.rbac.create_namespaced_role_binding(self.namespace, body)

    def role(self, **rule: list[str]) -> None:
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"], **rule}]
        body = {"metadata": {"name": "reader"}, "rules": rules}
        self.rbac.create_namespaced_role(self.namespace, body)


@pytest.fixture
def caller(region: Region, namespace: str) -> Caller:
    return Caller(region, namespace)


def test_rights_come_and_go_with_bindings(caller: Caller) -> None:
    assert caller.status() == 403
    caller.bind()
    assert caller.status() == 403  # a binding whose role is not there gives nothing
    caller.role()
    assert caller.status() == 200
    caller.rbac.delete_namespaced_role_binding("reader", caller.namespace)
    assert caller.status() == 403


@pytest.mark.parametrize(
    "rule",
    [{"apiGroups": ["apps"]}, {"resources": ["pods/log"]}, {"verbs": ["get"]}, {"resourceNames": ["p"]}],
    ids=lambda rule: next(iter(rule)),
)
def test_a_rule_gives_no_more_than_it_says(caller: Caller, rule: dict[str, list[str]]) -> None:
    caller.bind()
    caller.role(**rule)
    assert caller.status() == 403


def test_a_name_in_a_rule_is_a_right_on_that_name(caller: Caller) -> None:
    caller.bind()
    caller.role(resourceNames=["p"])
    assert caller.status(field_selector="metadata.name=p") == 200
    assert caller.status(field_selector="metadata.name=q") == 403


def test_rights_end_at_the_namespace(caller: Caller) -> None:
    caller.bind()
    caller.role(verbs=["*"], resources=["*"])
    assert caller.status() == 200
    for elsewhere in (
        caller.me.list_pod_for_all_namespaces,
        lambda: caller.me.list_namespaced_pod("default"),
    ):
        with pytest.raises(ApiException) as caught:
            elsewhere()
        assert caught.value.status == 403


def test_a_binding_keeps_its_role(caller: Caller) -> None:
    caller.bind()
    change = {"roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "cluster-admin"}}
    with pytest.raises(ApiException) as caught:
        caller.rbac.patch_namespaced_role_binding("reader", caller.namespace, change)
    assert caught.value.status == 422
    assert "cannot change roleRef" in caught.value.body


def test_a_token_dies_with_its_pod(caller: Caller) -> None:
    assert caller.status() == 403
    caller.core.delete_namespaced_pod("p", caller.namespace)
    assert caller.status() == 401


def test_a_token_dies_with_its_account(caller: Caller) -> None:
    caller.core.delete_namespaced_service_account("agent", caller.namespace)
    assert caller.status() == 401
    caller.core.create_namespaced_service_account(caller.namespace, {"metadata": {"name": "agent"}})
    assert caller.status() == 401  # the new one is another


def test_a_token_signed_by_somebody_else_is_none(caller: Caller) -> None:
    head, _, signature = caller.token.rpartition(".")
    assert caller.with_token(f"{head}.{signature[::-1]}") == 401
    assert caller.with_token(caller.token) == 403
