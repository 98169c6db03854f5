"""An API server that has faults and pods: list, watch, merge-patch of the status. Its test speaks to it on stdin.

Lines in: {"put": object} | {"gone": name} | {"pods": [...]} | {"get": name} | {"reset": true}
| {"forgetful": whether each watch ends with an ERROR at once} | {"lists": true}: when it listed, monotonic seconds;
each is answered by one line.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

FAULTS = "/apis/stormdrill.io/v1alpha1/namespaces/stormdrill/faults"
changed = threading.Condition()
faults: dict = {}
events: list = []
pods: list = []
lists: list = []
forgetful = threading.Event()
FORGOTTEN = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "message": "too old resource version"},
}


def merge(old, new):
    if not isinstance(new, dict):
        return new
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def store(kind, fault):
    fault["metadata"]["resourceVersion"] = str(len(events) + 1)
    name = fault["metadata"]["name"]
    faults[name] = fault
    if kind == "DELETED":
        del faults[name]
    events.append({"type": kind, "object": json.loads(json.dumps(fault))})
    changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/api/v1/pods":
            assert query == "fieldSelector=spec.nodeName%3Dnode-1", query
            self.answer(200, {"items": pods})
        elif path == FAULTS and "watch=1" in query:
            self.watch(int(query.rpartition("resourceVersion=")[2] or 0))
        elif path == FAULTS:
            with changed:
                lists.append(time.monotonic())
                listed = {"metadata": {"resourceVersion": str(len(events))}, "items": list(faults.values())}
            self.answer(200, listed)
        else:
            self.answer(404, {"message": "not found"})

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        name = self.path.removeprefix(FAULTS + "/").removesuffix("/status")
        with changed:
            fault = faults.get(name)
            if fault is None:
                self.answer(404, {"message": "no such fault"})
            elif body["metadata"]["uid"] != fault["metadata"]["uid"]:
                self.answer(409, {"message": "uid differs"})
            else:
                status = merge(fault.get("status") or {}, body["status"])
                store("MODIFIED", {**fault, "status": status})
                self.answer(200, faults[name])

    def watch(self, seen):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            with changed:
                changed.wait_for(lambda: len(events) > seen or forgetful.is_set())  # noqa: B023
                due, seen = events[seen:], len(events)
            if forgetful.is_set():
                self.event(FORGOTTEN)
                self.wfile.write(b"0\r\n\r\n")
                return
            for event in due:
                self.event(event)

    def event(self, event):
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def command(line):
    match json.loads(line):
        case {"put": fault}:
            old = faults.get(fault["metadata"]["name"])
            if old and "status" not in fault:
                fault["status"] = old.get("status") or {}
            store("MODIFIED" if old else "ADDED", fault)
        case {"gone": name}:
            store("DELETED", faults[name])
        case {"pods": items}:
            pods[:] = items
        case {"lists": _}:
            return lists
        case {"forgetful": bool(wanted)}:
            (forgetful.set if wanted else forgetful.clear)()
            changed.notify_all()
        case {"reset": _}:
            pods.clear()
            lists.clear()
            forgetful.clear()
            for fault in [*faults.values()]:
                store("DELETED", fault)
        case {"get": name}:
            return faults.get(name)
    return None


class Server(ThreadingHTTPServer):
    def server_bind(self):
        TCPServer.server_bind(self)  # HTTPServer's would ask for its own name, where nobody answers
        self.server_name, self.server_port = self.server_address

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    server = Server((sys.argv[1], 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    for line in sys.stdin:
        with changed:
            answer = command(line)
        print(json.dumps(answer), flush=True)
