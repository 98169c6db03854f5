"""Acting as somebody else: for those who may, and never by a header that is not heard."""

from __future__ import annotations

import pytest

from .asking import Api, Json, core
from .cited import IMPERSONATION, cites
from .conftest import Region, needs_kubectl, skip_where_protobuf_is_sent
from .rights import RBAC, account
from .test_service_accounts import Caller

ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


def who(api: Api) -> Json:
    found: Json = api.done("POST", ME, {})["status"]["userInfo"]
    return found


@cites(IMPERSONATION)
def test_a_request_is_made_by_whom_it_names(api: Api, namespace: str) -> None:
    me = account(namespace, "agent")
    shown = who(api.acting_as(me))
    assert shown["username"] == me
    assert {f"system:serviceaccounts:{namespace}", "system:serviceaccounts", "system:authenticated"} <= set(
        shown["groups"]
    )
    assert who(api.acting_as("ann"))["groups"] == ["system:authenticated"]
    body = api.acting_as("ann").get(core(namespace, "secrets")).refused(403, "Forbidden")
    assert 'User "ann" cannot list resource "secrets"' in body["message"]


@cites(IMPERSONATION)
def test_groups_come_along(api: Api, namespace: str) -> None:
    ops = api.with_headers({**api.wire.headers, "Impersonate-Group": "ops"}).acting_as("ann")
    assert set(who(ops)["groups"]) == {"ops", "system:authenticated"}
    ops.get(core(namespace, "secrets")).refused(403, "Forbidden")
    masters = api.with_headers({**api.wire.headers, "Impersonate-Group": "system:masters"}).acting_as("ann")
    masters.done("GET", core(namespace, "secrets"))
    alone = api.with_headers({**api.wire.headers, "Impersonate-Group": "ops"})
    assert alone.get(core(namespace, "secrets")).status == 500


@cites(IMPERSONATION)
@pytest.mark.own_server("it signs tokens with the lab's key")
def test_who_may_not_act_as_others_is_refused(region: Region, namespace: str) -> None:
    caller = Caller(region, namespace)
    me = Api.of(region).with_headers({"Authorization": f"Bearer {caller.token}"})
    for name, resource in (("kubernetes-admin", "users"), (account(namespace, "default"), "serviceaccounts")):
        body = me.acting_as(name).get(core(namespace, "secrets")).refused(403, "Forbidden")
        assert f'cannot impersonate resource "{resource}"' in body["message"]
    role = {"metadata": {"name": f"{namespace[:40]}-as-ann"}}
    rule = {"apiGroups": [""], "resources": ["users"], "resourceNames": ["ann"], "verbs": ["impersonate"]}
    admin = Api.of(region)
    admin.done("POST", f"{RBAC}/clusterroles", {**role, "rules": [rule]})
    reference = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": role["metadata"]["name"],
    }
    subject = {"kind": "ServiceAccount", "name": "agent", "namespace": namespace}
    admin.done("POST", f"{RBAC}/clusterrolebindings", {**role, "roleRef": reference, "subjects": [subject]})
    assert who(me.acting_as("ann"))["username"] == "ann"
    me.acting_as("bob").get(core(namespace, "secrets")).refused(403, "Forbidden")
    masters = me.with_headers({**me.wire.headers, "Impersonate-Group": "system:masters"}).acting_as("ann")
    body = masters.get(core(namespace, "secrets")).refused(403, "Forbidden")
    assert 'cannot impersonate resource "groups"' in body["message"]


@cites(IMPERSONATION)
@pytest.mark.own_server("a real server builds all of it")
@pytest.mark.parametrize("header", ["Impersonate-Uid", "Impersonate-Extra-Scopes"])
def test_what_of_it_is_not_built_is_said(api: Api, namespace: str, header: str) -> None:
    more = api.with_headers({**api.wire.headers, header: "x"}).acting_as("ann")
    more.get(core(namespace, "secrets")).refused(501, "NotImplemented")


@cites(IMPERSONATION)
@needs_kubectl
def test_kubectl_asks_what_somebody_may(region: Region, namespace: str) -> None:
    me = account(namespace, "default")
    denied = region.kubectl("-n", namespace, "auth", "can-i", "list", "secrets", "--as", me, check=False)
    skip_where_protobuf_is_sent(denied)
    assert denied.strip() == "no"
    assert region.kubectl("-n", namespace, "auth", "can-i", "list", "secrets").strip() == "yes"
    told = region.kubectl("-n", namespace, "get", "secrets", "--as", me, check=False)
    assert "Error from server (Forbidden)" in told
