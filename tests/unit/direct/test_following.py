"""Whether a standby site follows, seen without writing: by what members of both sites say of themselves."""

import http.server
import json
import threading

import pytest

from stormdrill.direct.following import Trailing
from stormdrill.direct.patroni import PatroniDirector
from stormdrill.estate_sites import DatabaseSite

LEADS = {"state": "running", "role": "primary", "timeline": 3, "xlog": {"location": 100 << 20}}
FOLLOWS = {
    "state": "running", "role": "standby_leader", "timeline": 3, "replication_state": "streaming",
    "xlog": {"received_location": 100 << 20, "replayed_location": 100 << 20},
}  # fmt: skip


@pytest.fixture
def lacks():
    servers = []

    def url(said):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                role = {"primary": "leader"}.get(said["role"], said["role"])
                one = {
                    "name": said["name"],
                    "role": role,
                    "state": said["state"],
                    "timeline": said["timeline"],
                }
                body = json.dumps({"members": [one]} if self.path.startswith("/cluster") else said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def ask(home, away):
        members = {"pg-c-0": url({"name": "pg-c-0"} | away)}
        site = DatabaseSite("city2", members, "pg-c-0.pg", 5432, "city2", "")
        leading = PatroniDirector({"pg-a-0": url({"name": "pg-a-0"} | home)})
        return Trailing(site, PatroniDirector(members), leading).lacks()

    yield ask
    for server in servers:
        server.shutdown()
        server.server_close()


def test_one_that_has_it_all_lacks_nothing(lacks):
    assert lacks(LEADS, FOLLOWS) == ""


@pytest.mark.parametrize(
    ("home", "away", "said"),
    [
        pytest.param({}, {"timeline": 1}, "pg-c-0 is on timeline 1, not 3", id="went its own way"),
        pytest.param({}, {"xlog": {"received_location": 80 << 20}}, "has the log up to", id="far behind"),
        pytest.param({}, {"state": "starting"}, "pg-c-0 is starting", id="not up"),
        pytest.param({}, {"role": "primary"}, "says that it takes writes", id="promoted"),
        pytest.param({"role": "replica"}, {}, "nobody leads whom city2 could follow", id="no leader"),
    ],
)
def test_what_it_lacks_is_said(lacks, home, away, said):
    assert said in lacks(LEADS | home, FOLLOWS | away)
