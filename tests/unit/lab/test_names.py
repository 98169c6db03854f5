"""What cluster DNS answers."""

from stormlab.node import names
from stormlab.node.services import Endpoint


def endpoint(address, host="", *, ready=True, ports=None):
    return Endpoint(address, "a", host, ready, ready, False, ports or {"client": 2379})


class Table:
    def __init__(self, **services):
        self._services = services

    def service(self, namespace, name):
        return self._services.get(name, (None, None))[0] if namespace == "bank" else None

    def endpoints(self, namespace, name):
        return self._services[name][1]


def service(ip="10.96.0.5", **spec):
    ports = [{"name": "client", "port": 2379, "protocol": "TCP"}]
    return {"spec": {"clusterIP": ip, "ports": ports, **spec}}


MEMBERS = [endpoint("10.77.1.2", "etcd-0"), endpoint("10.77.2.2", "etcd-1", ready=False)]
TABLE = Table(
    web=(service(), [endpoint("10.77.1.9")]),
    etcd=(service("None", publishNotReadyAddresses=True), MEMBERS),
    pg=(service("None"), MEMBERS),
    empty=(service("None"), []),
    away=(service("", type="ExternalName", externalName="db.example.com."), []),
)


def test_domains_that_are_ours():
    assert names.local_part("web.bank.svc.cluster.local", "city1") == "web.bank.svc"
    assert names.local_part("web.bank.svc.city1.local", "city1") == "web.bank.svc"
    assert names.local_part("web.bank", "city1") == "web.bank"
    assert names.local_part("web.bank.svc", "city1") == "web.bank.svc"
    assert names.local_part("www.example.com", "city1") is None
    assert names.other_region("web.bank.svc.city2.local", ["city2"]) == "city2"
    assert names.other_region("web.bank.svc.cluster.local", ["city2"]) is None


def test_a_service_address():
    assert names.resolve("web.bank.svc", TABLE).addresses == ("10.96.0.5",)
    assert not names.resolve("web.other.svc", TABLE).found
    assert not names.resolve("nothing.bank.svc", TABLE).found
    assert not names.resolve("host.web.bank.svc", TABLE).found
    assert not names.resolve("a.b.web.bank.svc", TABLE).found
    assert not names.resolve("web", TABLE).found


def test_a_headless_service_gives_ready_pods_or_all_when_it_says_so():
    assert names.resolve("pg.bank.svc", TABLE).addresses == ("10.77.1.2",)
    assert names.resolve("etcd.bank.svc", TABLE).addresses == ("10.77.1.2", "10.77.2.2")
    assert not names.resolve("empty.bank.svc", TABLE).found


def test_a_pod_of_a_stateful_set_by_its_host_name():
    assert names.resolve("etcd-1.etcd.bank.svc", TABLE).addresses == ("10.77.2.2",)
    assert not names.resolve("etcd-1.pg.bank.svc", TABLE).found
    assert not names.resolve("etcd-9.etcd.bank.svc", TABLE).found


def test_service_records_name_the_pods():
    answer = names.resolve("_client._tcp.etcd.bank.svc", TABLE, "city1.local")
    assert answer.targets == (
        (2379, "etcd-0.etcd.bank.svc.city1.local"),
        (2379, "etcd-1.etcd.bank.svc.city1.local"),
    )
    assert names.resolve("_client._tcp.web.bank.svc", TABLE).targets == (
        (2379, "web.bank.svc.cluster.local"),
    )
    assert not names.resolve("_other._tcp.etcd.bank.svc", TABLE).found


def test_an_alias():
    assert names.resolve("away.bank.svc", TABLE).alias == "db.example.com"
