"""Service addresses, node ports and names, between real pods over real links."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stormlab.wait import until

pytestmark = pytest.mark.lab

SERVER = (
    "import http.server,os\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "  protocol_version='HTTP/1.1'\n"
    "  def do_GET(s):\n"
    "    b=(os.environ['HOSTNAME']+' '+s.client_address[0]).encode()\n"
    "    s.send_response(200); s.send_header('Content-Length',str(len(b)))\n"
    "    s.end_headers(); s.wfile.write(b)\n"
    "  def log_message(s,*a): pass\n"
    "http.server.ThreadingHTTPServer(('0.0.0.0',8080),H).serve_forever()\n"
)
PROBE = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
FETCH = "import sys,urllib.request as u\nprint(u.urlopen(sys.argv[1],timeout=4).read().decode())"


@pytest.fixture(scope="module")
def web(machine):
    """Two servers in two zones behind a service with a node port, and behind a headless one."""
    for name, zone in (("web-0", "city1-a"), ("web-1", "city1-b")):
        extra = {"hostname": name, "subdomain": "head", "container": PROBE}
        machine.run(name, zone, "python", "-c", SERVER, ready=False, **extra)
    machine.run("client", "city1-a", "sleep", "1000", ready=False)
    machine.run("far", "city2-a", "sleep", "1000", region="city2")
    for name in ("web-0", "web-1", "client"):
        until(lambda n=name: machine.condition(machine.pod(n), "Ready"), name, 10)
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    services = [
        {"name": "web", "spec": {"type": "NodePort", "ports": [{**ports[0], "nodePort": 30080}]}},
        {"name": "head", "spec": {"clusterIP": "None", "ports": ports}},
        {"name": "none", "spec": {"ports": ports}},
    ]
    for service in services:
        body = {"metadata": {"name": service["name"]}, "spec": service["spec"]}
        machine.call("POST", "/api/v1/namespaces/default/services", body)
    yield machine
    for service in services:
        machine.call("DELETE", f"/api/v1/namespaces/default/services/{service['name']}")
    for name in ("web-0", "web-1", "client"):
        machine.delete(name)
    machine.delete("far", region="city2")


def slices(machine, **ready):
    """Say which of the servers are ready; services without a selector have no controller."""
    for service in ("web", "head"):
        endpoints = [
            {
                "addresses": [machine.status(name.replace("_", "-"))["podIP"]],
                "hostname": name.replace("_", "-"),
                "zone": {"web_0": "city1-a", "web_1": "city1-b"}[name],
                "conditions": {"ready": good, "serving": good, "terminating": False},
            }
            for name, good in ready.items()
        ]
        body = {
            "metadata": {"name": f"{service}-x", "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        }
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        found = {one["metadata"]["name"] for one in machine.call("GET", path)["items"]}
        if f"{service}-x" in found:
            machine.call("DELETE", f"{path}/{service}-x")
        machine.call("POST", path, body)


def fetch(machine, url, pod="client", region="city1"):
    code, out, err = machine.execute(pod, "python", "-c", FETCH, url, region=region)
    return out.strip() if code == 0 else err.strip().splitlines()[-1]


def connections(machine):
    """Established connections of the client pod."""
    _, out, _ = machine.execute("client", "sh", "-c", "grep -c ' 01 ' /proc/net/tcp; true")
    return int(out)


def settled(machine, url, expected, **where):
    until(lambda: fetch(machine, url, **where).split(" ")[0] == expected, f"{url} answered by {expected}", 5)


def test_own_zone_first_then_the_other_then_refused(web):
    slices(web, web_0=True, web_1=True)
    settled(web, "http://web/", "web-0")
    assert {fetch(web, "http://web.default.svc.cluster.local/").split()[0] for _ in range(3)} == {"web-0"}
    slices(web, web_0=False, web_1=True)
    settled(web, "http://web/", "web-1")
    # Seen there with the client's own address: nothing stands in between.
    assert fetch(web, "http://web/") == f"web-1 {web.status('client')['podIP']}"
    slices(web, web_0=False, web_1=False)
    until(lambda: "refused" in fetch(web, "http://web/"), "refused at once", 5)
    assert "refused" in fetch(web, "http://none/")


@pytest.mark.parametrize("client", ["client", "far"])
def test_the_address_of_a_pod_that_is_gone_fails_at_once(web, client):
    """From its own zone and from another: an error, not silence."""
    start = time.perf_counter()
    assert "refused" in fetch(
        web, "http://10.77.1.77:8080/", pod=client, region="city2" if client == "far" else "city1"
    )
    assert time.perf_counter() - start < 2


def test_a_pod_reaches_itself_through_its_service(web):
    slices(web, web_0=True, web_1=True)
    settled(web, "http://web/", "web-0", pod="web-0")


def test_node_ports_answer_from_outside_on_every_node(web):
    slices(web, web_0=True, web_1=True)
    settled(web, "http://10.77.1.1:30080/", "web-0", pod="far", region="city2")
    settled(web, "http://10.77.2.1:30080/", "web-1", pod="far", region="city2")
    slices(web, web_0=False, web_1=True)
    settled(web, "http://10.77.1.1:30080/", "web-1", pod="far", region="city2")


def test_names_of_pods_and_of_another_region(web):
    slices(web, web_0=True, web_1=True)
    settled(web, "http://web-1.head:8080/", "web-1")
    settled(web, "http://web-0.head.default.svc.city1.local:8080/", "web-0", pod="far", region="city2")
    settled(web, "http://web.default.svc.city1.local/", "web-0", pod="far", region="city2")
    assert "not known" in fetch(web, "http://web.default.svc.cluster.local/", pod="far", region="city2")
    assert "not known" in fetch(web, "http://web-9.head/")
    _, found, _ = web.execute("client", "getent", "ahostsv4", "head")
    assert {line.split()[0] for line in found.splitlines()} == {
        web.status("web-0")["podIP"],
        web.status("web-1")["podIP"],
    }


def test_established_connections_survive_a_change_of_rules(web):
    slices(web, web_0=True, web_1=True)
    settled(web, "http://web/", "web-0")
    code = (
        "import http.client,sys,time\n"
        "c=http.client.HTTPConnection('web',80,timeout=3); c.connect(); c.auto_open=0\n"
        "for i in range(15):\n"
        "  c.request('GET','/'); print(c.getresponse().read().decode().split()[0]); time.sleep(.1)\n"
    )
    with ThreadPoolExecutor() as pool:
        running = pool.submit(web.execute, "client", "python", "-c", code)
        until(lambda: connections(web) == 1, "connected", 5)
        for good in (False, True, False):
            slices(web, web_0=good, web_1=True)
        exit_code, out, err = running.result(20)
    assert (exit_code, err) == (0, "")
    assert len(out.split()) == 15
