#!/bin/sh
# Alertmanager sends "resolved" for an alert of which it never sent "firing", when another alert of the same group fires.
#
# A good guess is that the end of an alert is told only to those who heard of its beginning. That holds for a group as a
# whole, not for an alert in it: one that came and went between two flushes is in the next message as resolved, and in none
# as firing. With `group_by: ['...']`, each alert being its own group, it is in none at all.
#
# Needs: Debian's prometheus-alertmanager (or ALERTMANAGER=/path/of/alertmanager), python3, curl. Takes about half a minute.
# Exit status 0: it is still so. 1: it has changed.
set -eu
alertmanager=${ALERTMANAGER:-$(command -v prometheus-alertmanager || command -v alertmanager)}
work=$(mktemp -d)
trap 'kill $pids 2>/dev/null || true; rm -rf "$work"' EXIT
pids=

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

cat >"$work/receiver.py" <<'PY'
"""Prints `name status` of each alert of each webhook."""
import http.server, json, sys

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            print(alert["labels"]["target"], alert["status"], flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
PY

# run GROUP_BY: what the receiver was sent is in $work/sent.
run() {
    receiver=$(free_port)
    port=$(free_port)
    cat >"$work/am.yml" <<YML
route: {receiver: all, group_by: [$1], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers: [{name: all, webhook_configs: [{url: "http://127.0.0.1:$receiver/", send_resolved: true}]}]
YML
    python3 "$work/receiver.py" "$receiver" >"$work/sent" &
    one=$!
    "$alertmanager" --config.file="$work/am.yml" --storage.path="$work/data-$port" --cluster.listen-address= \
        --web.listen-address="127.0.0.1:$port" >"$work/log" 2>&1 &
    two=$!
    pids="$one $two"
    until curl -fsS -o "$work/ready" "http://127.0.0.1:$port/-/ready" 2>/dev/null; do sleep 0.2; done
    start=$(now)
    post n8n "$start" "$(date -u -d '+1 hour' +%FT%TZ)"
    until grep -q '^n8n firing' "$work/sent"; do sleep 0.2; done
    start=$(now)
    post letta "$start" "$(date -u -d '+1 hour' +%FT%TZ)" # comes ...
    post letta "$start" "$(now)"                          # ... and goes before the next flush
    sleep 7 # longer than group_interval: the flush after it is what this is about
    kill $pids
    wait $pids 2>/dev/null || true
    pids=
}

now() { date -u +%FT%T.%3NZ; }

post() {
    curl -fsS -H 'Content-Type: application/json' "http://127.0.0.1:$port/api/v2/alerts" -d "[{
        \"labels\": {\"alertname\": \"Down\", \"target\": \"$1\"}, \"startsAt\": \"$2\", \"endsAt\": \"$3\"}]"
}

"$alertmanager" --version 2>&1 | head -n 1
run alertname
echo "--- group_by: [alertname]"
cat "$work/sent"
grep -q '^letta resolved' "$work/sent" && ! grep -q '^letta firing' "$work/sent" || { echo "changed"; exit 1; }
run "'...'"
echo "--- group_by: ['...']"
cat "$work/sent"
! grep -q '^letta' "$work/sent" || { echo "changed"; exit 1; }
echo "letta was reported as resolved, and never as firing; by itself it is not reported at all"
