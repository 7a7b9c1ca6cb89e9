#!/bin/sh
# Prometheus: in `http_sd_configs`, `authorization: {credentials_file: ...}` sends the bare token, without "Bearer".
#
# Everywhere else `type:` of `authorization:` is Bearer by default, in a scrape job as well, and the reference says the
# same of HTTP service discovery. There the default is never filled in, so a server that asks for a bearer token answers
# 401, and no host is found; promtool says nothing. With `type: Bearer` written out both send the same.
# Known since 2023: https://github.com/prometheus/prometheus/issues/12762
#
# Takes Prometheus 2.42 (Debian 12) apart in a temporary folder; a small server on loopback writes down what it is sent.
# Exits 1 when it sees something else.
set -eu
work=$(mktemp -d)
ours=""
trap 'for each in $ours; do kill "$each" 2>/dev/null || true; done; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'prometheus=2.42.0*' >/dev/null 2>&1
dpkg -x prometheus_*.deb .
./usr/bin/prometheus --version 2>&1 | head -n 1
printf 'a-token' >token
cat >server.py <<'PY'
from http.server import BaseHTTPRequestHandler, HTTPServer

class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        with open("seen", "a") as seen:
            print(self.path, self.headers.get("Authorization"), file=seen)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Server)
with open("port", "w") as port:
    port.write(str(server.server_port))
server.serve_forever()
PY
python3 server.py &
ours=$!
tries=0
until [ -s port ]; do tries=$((tries + 1)); [ "$tries" -lt 100 ]; sleep 0.1; done
port=$(cat port)
cat >prometheus.yml <<YML
scrape_configs:
  - job_name: discovered
    http_sd_configs:
      - url: http://127.0.0.1:$port/without
        authorization: {credentials_file: token}
      - url: http://127.0.0.1:$port/with
        authorization: {type: Bearer, credentials_file: token}
  - job_name: scraped
    scrape_interval: 1s
    metrics_path: /scraped
    authorization: {credentials_file: token}
    static_configs: [{targets: ["127.0.0.1:$port"]}]
YML
./usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:0 2>log &
ours="$ours $!"
tries=0
until grep -q without seen 2>/dev/null && grep -q with\  seen && grep -q scraped seen; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ]
    sleep 0.1
done

failed=0
expect() { # what, path, wanted
    sent=$(sed -n "s|^/$2 ||p" seen | sort -u)
    echo "$1: Authorization: $sent"
    [ "$sent" = "$3" ] || { echo "  expected: $3"; failed=1; }
}
expect "HTTP service discovery" without "a-token"
expect "HTTP service discovery, type: Bearer" with "Bearer a-token"
expect "a scrape job" scraped "Bearer a-token"
exit "$failed"
