#!/usr/bin/env python3
"""A fake cadvisor for the tests of the benchmark: it names the containers that the engine at --docker runs, as the real
one does, and knows nothing else of them.
"""

import argparse
import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker

parser = argparse.ArgumentParser()
parser.add_argument("--version", action="version", version="a fake cAdvisor, version v0.0.1")
parser.add_argument("--listen_ip", required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--docker", required=True)
parser.add_argument("--docker_only", required=True)
options = parser.parse_args()
client = docker.DockerClient(base_url=options.docker)


class Handler(BaseHTTPRequestHandler):
    """Answers /healthz, and anything else with the metrics."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        names = [] if self.path == "/healthz" else [container.name for container in client.containers.list()]
        body = "".join(f'container_last_seen{{name="{name}"}} 1\n' for name in names).encode()
        zipped = self.headers.get("Accept-Encoding") == "gzip"
        self.send_response(200)
        if zipped:
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer((options.listen_ip, options.port), Handler).serve_forever()
