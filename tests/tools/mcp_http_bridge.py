#!/usr/bin/env python3
"""Puts an MCP server that speaks on stdio behind HTTP, for judges that know no other way.

    mcp_http_bridge.py COMMAND [ARGUMENT ...]      prints the address, then serves until it is killed

Each session (a client that began with `initialize`) has a process of its own; requests that belong to
none share one, as that era allows. Ids are made unique on the way in and put back on the way out.
"""
import itertools
import json
import queue
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER_WITHIN = 60
MODERN = "io.modelcontextprotocol/protocolVersion"


class Server:
    """A process, and who waits for which answer."""

    def __init__(self, command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.waiting, self.lock, self.ids = {}, threading.Lock(), itertools.count(1)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.child.stdout:
            message = json.loads(line)
            waiter = self.waiting.pop(message.get("id"), None)
            if waiter:
                waiter.put(message)

    def tell(self, message):
        with self.lock:
            self.child.stdin.write(json.dumps(message) + "\n")
            self.child.stdin.flush()

    def ask(self, message):
        own, answer = next(self.ids), queue.Queue()
        self.waiting[own] = answer
        self.tell({**message, "id": own})
        return {**answer.get(timeout=ANSWER_WITHIN), "id": message["id"]}


class Bridge(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    program, sessions, shared = [], {}, None

    def log_message(self, *_):
        pass

    def answer(self, status, body=None, session=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if data:
            self.send_header("Content-Type", "application/json")
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer(405)

    def do_DELETE(self):
        server = self.sessions.pop(self.headers.get("Mcp-Session-Id"), None)
        if server:
            server.child.stdin.close()
        self.answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            message = json.loads(body)
        except ValueError:
            error = {"code": -32700, "message": "not JSON"}
            return self.answer(400, {"jsonrpc": "2.0", "id": None, "error": error})
        session = self.headers.get("Mcp-Session-Id")
        meta = message.get("params", {}).get("_meta", {})
        opens = message.get("method") == "initialize" and MODERN not in meta
        if opens:
            session = uuid.uuid4().hex
            self.sessions[session] = Server(self.program)
        server = self.sessions.get(session, self.shared)
        if "id" not in message:
            server.tell(message)
            return self.answer(202)
        answer = server.ask(message)
        code = answer.get("error", {}).get("code")
        # How that era's transport tells a client of these two.
        modern = session is None
        status = {-32601: 404, -32022: 400, -32602: 400}.get(code, 200) if modern else 200
        return self.answer(status, answer, session if opens else None)


if __name__ == "__main__":
    Bridge.program = sys.argv[1:]
    Bridge.shared = Server(Bridge.program)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Bridge)
    http.daemon_threads = True
    print(f"http://127.0.0.1:{http.server_address[1]}/mcp", flush=True)
    http.serve_forever()
