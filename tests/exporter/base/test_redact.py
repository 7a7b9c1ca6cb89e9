import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.base.redact import redacted, secrets_of

SECRET = "hunter2-Zq9xW7"

LINES = [
    "password={}",
    "PGPASSWORD={} psql -h db",
    "connecting with user=bob password='{}' dbname=x",
    'POSTGRES_PASSWORD="{}"',
    "db_passwd: {}",
    "token: {}",
    "apiKey={}",
    "api-key: {}",
    "secretAccessKey={}",
    "client_secret = {}",
    "dsn: host=db pwd={};timeout=3",
    "Authorization: Bearer {}",
    "authorization=Basic {}",
    "> Cookie: session={}; theme=dark",
    "set-cookie: sid={}",
    "Proxy-Authorization: Digest username={}",
    "curl -H 'X-Api-Key: {}'",
    'headers={{"Authorization": "Bearer {}"}}',
    "retrying with Bearer {}",
    "postgres://bob:{}@db:5432/app failed",
    "https://user:{}@host/path?x=1",
    "redis://:{}@cache:6379/0",
    "GET /cb?access_token={}&state=1",
    "GET https://h/cb?x=1&api%5Fkey={} HTTP/1.1",
    '{{"level": "info", "password": "{}", "user": "bob"}}',
    '{{"db": {{"secret":"{}"}}}}',
    "{{'token': '{}'}}",
    "2026-11-27T14:00:00.000000000Z password={}",
    "passphrase: {} and more",
    'msg="connect password={}"',
    "ERROR: pool: token: {}",
    '{{"log": "{{\\"password\\": \\"{}\\"}}"}}',
    "curl -u bob:{} https://h",
    "/usr/bin/curl -sSu 'bob:{}' https://h",
    "curl -ubob:{} https://h",
    "curl --user=bob:{} https://h",
    "curl --proxy-user bob:{} https://h",
    "curl \\\n  -u bob:{} \\\n  https://h",
    'sh -c "curl -u bob:{} https://h"',
    '["curl", "-u", "bob:{}", "https://h"]',
    "['curl','--user','bob:{}']",
    "mysql -uroot -p{} db",
    "mysqldump -p'{}' db",
    "mariadb --password={} db",
    "mytool --password {} run",
    '["redis-server", "--requirepass", "{}"]',
    "redis-cli -a {} ping",
    "cypher-shell -u neo4j -p {} 'RETURN 1'",
    "docker login -u bob -p {} registry.example.org",
    "openssl enc -pass pass:{} -in x",
    "SSHPASS={} sshpass -e ssh h",
    "sshpass -p {} ssh h",
    "sshpass -p{} ssh h",
    "https://hooks.slack.com/services/T00/B00/{}",
    "POST hooks.slack.com:443/workflows/T00/{} 200",
    "https://discord.com/api/webhooks/1234567/{}",
    "https://discordapp.com/api/v10/webhooks/1234567/{}?wait=true",
    "https://acme.webhook.office.com/webhookb2/a@b/IncomingWebhook/{}/d",
    "https://api.telegram.org/bot123456:{}/sendMessage",
    "https://account.blob.core.windows.net/c?sv=2022&sig={}&se=2027",
    "GET /bucket/key?X-Amz-Signature={}&X-Amz-Expires=60 HTTP/1.1",
    "GET /bucket/key?Expires=1&Signature={} HTTP/1.1",
    "/login?next=%2Fcb%3Ftoken%3D{}%26state%3D1",
    "next=%252Fcb%253Fpassword%253d{}",
]


@pytest.mark.parametrize("line", LINES)
def test_a_secret_goes_and_the_rest_stays(line: str) -> None:
    shown = redacted(line.format(SECRET))
    assert SECRET not in shown
    assert "(not shown)" in shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: password authentication failed for user bob",
        "listening on 0.0.0.0:8080",
        "GET /api/v1/tokens HTTP/1.1 200",
        "connect to postgres://bob@db:5432/app",
        "level=info msg=started user=bob keys=3 monkey=banana",
        '{"level": "info", "user": "bob"}',
        "panic: runtime error: index out of range [3] with length 2",
        "https://example.org/a/b?x=1#y",
        "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945 pulled",
        "docker run -u 1000:1000 -p 8080:80 nginx",
        "docker run --name mongo -p 27017:27017 mongo",
        "psql -p 5432 -U postgres -h db",
        "mysql -P 3306 -h db -p shop",
        "ssh -p 22 host; mkdir -p /a/b; cp -u a:b c",
        "curl -u bob https://h",
        'curl -u "$USER:$PASS" https://h',
        "curl -u bob:${PW} https://h",
        "password=${DB_PASSWORD}",
        "curl: (6) Could not resolve host: h",
        "--password is required; use --token to log in",
        "sshpass -f /run/pw ssh h",
        "bypass=true compass=north",
        "GET /?page=1&size=2&sign=no&signal=9 HTTP/1.1",
        "https://discord.com/api/v10/channels/1",
        "https://core.telegram.org/bots/api and /robots.txt",
        "connection to hooks.slack.com:443 refused",
        "q=name%3Dvalue&x%3D1 100%25 done",
        "redis: AUTH failed for user bob",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(line: str) -> None:
    assert redacted(line) == line


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "sk-" + "Ab3-" * 8,
        "AKIAABCDEFGHIJKLMNOP",
        "xoxb-12345678-abcdefgh",
        "1234567890:AA" + "b_C-4" * 7,
        "AGE-SECRET-KEY-1" + "QPZRY" * 11,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2lnbmF0dXJl",
    ],
)
def test_secrets_are_known_by_their_form(secret: str) -> None:
    assert redacted(f"login with {secret} failed") == "login with (not shown) failed"


def test_a_private_key_goes_also_without_its_beginning() -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
    text = f"2026-11-27T14:00:00Z {body}\n  {body}==\n-----END PRIVATE KEY-----\nnext"
    assert redacted(text) == ("2026-11-27T14:00:00Z (not shown)\n(not shown)\n-----END PRIVATE KEY-----\nnext")


def test_values_that_are_known_go_wherever_they_stand() -> None:
    known = secrets_of([f"DB_PASSWORD={SECRET}", "PATH=/bin", "URL=postgres://a:p%40ss@db/x", "EMPTY_TOKEN="])
    assert known == {SECRET, "p%40ss"}
    assert redacted(f"got {SECRET}! and p%40ss", known) == "got (not shown)! and (not shown)"
    assert redacted("a word", {"a"}) == "a word"


@given(st.text(max_size=300), st.sampled_from(LINES))
def test_nothing_around_it_brings_it_back(around: str, line: str) -> None:
    assert SECRET not in redacted(f"{around}\n{line.format(SECRET)}\n{around}")


@given(st.text(max_size=2000))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(redacted(text), str)


@pytest.mark.parametrize("word", ["L", "a.", "x=", "1-", "a:", "é", "://", '"'])
def test_one_long_word_is_gone_through_once(word: str) -> None:
    """Gone through anew from each of its characters it would take hours."""
    assert len(redacted(word * 10_000)) > 0


@pytest.mark.parametrize(
    "word",
    ["curl ", "curl -u ", "mysql -p", "--a ", "--token ", "docker  ", "?a=", "&token=", "%3D", "%3Dtoken", '"a":"',
     '\\"', "a: ", "a= ", "token: ", "'", "\\", '","', "/bot1234567:", "discord.com/api/webhooks/1"],
)  # fmt: skip
def test_many_beginnings_of_secrets_take_time_in_proportion(word: str) -> None:
    """In processor time, and the better of two: eight times as much may take no more than thirty times as long."""

    def seconds(count: int) -> float:
        text = word * count

        def once() -> float:
            begun = time.process_time()
            redacted(text)
            return time.process_time() - begun

        return min(once() for _ in range(2))

    assert seconds(1_600) < 30 * max(seconds(200), 1e-4)


@pytest.mark.parametrize(
    "text", ["1PASSWORD=x1y2", "--password=x1y2", "éPASSWORD=x1y2", "9-db.password: x1y2", "-http://u:x1y2@h"]
)
def test_what_stands_before_a_name_hides_nothing_less(text: str) -> None:
    assert "x1y2" not in redacted(text)
