#!/bin/sh
# One alert has two start times: the webhook gives startsAt to the nanosecond, /api/v2/alerts to the millisecond.
#
# A good guess is that (fingerprint, startsAt) names one outage wherever it is read. A program that takes webhooks and also
# compares them with the API finds each alert twice. Prometheus sends nanoseconds, so this is so for nearly every alert.
#
# Needs: Debian's prometheus-alertmanager (or ALERTMANAGER=/path/of/alertmanager), python3. Takes some seconds.
# Exit status 0: it is still so. 1: it has changed.
set -eu
alertmanager=${ALERTMANAGER:-$(command -v prometheus-alertmanager || command -v alertmanager)}
work=$(mktemp -d)
trap 'kill $pid 2>/dev/null || true; rm -rf "$work"' EXIT
pid=

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

receiver=$(free_port)
port=$(free_port)
cat >"$work/am.yml" <<YML
route: {receiver: all, group_wait: 0s}
receivers: [{name: all, webhook_configs: [{url: "http://127.0.0.1:$receiver/"}]}]
YML
"$alertmanager" --config.file="$work/am.yml" --storage.path="$work/data" --cluster.listen-address= \
    --web.listen-address="127.0.0.1:$port" >"$work/log" 2>&1 &
pid=$!
"$alertmanager" --version 2>&1 | head -n 1

python3 - "$port" "$receiver" <<'PY'
import http.server, json, sys, time, urllib.request

api, port = f"http://127.0.0.1:{sys.argv[1]}", int(sys.argv[2])
heard = []

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        heard.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

def ready():
    try:
        return urllib.request.urlopen(f"{api}/-/ready").status == 200
    except OSError:
        return False

while not ready():
    time.sleep(0.1)
start = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime())
body = json.dumps([{"labels": {"alertname": "Down"}, "startsAt": start}]).encode()
urllib.request.urlopen(urllib.request.Request(f"{api}/api/v2/alerts", body, {"Content-Type": "application/json"}))
server = http.server.HTTPServer(("127.0.0.1", port), Receiver)
server.timeout = 30
server.handle_request()
(told,) = heard
(listed,) = json.load(urllib.request.urlopen(f"{api}/api/v2/alerts"))
print("posted      ", start)
print("webhook     ", told["fingerprint"], told["startsAt"])
print("/api/v2     ", listed["fingerprint"], listed["startsAt"])
same = told["fingerprint"] == listed["fingerprint"]
sys.exit(0 if same and told["startsAt"] == start and listed["startsAt"] == start.replace("456789Z", "Z") else "changed")
PY
