"""The exporter, the audit, `upkeeper check` and `upkeeper config show` treat every file that holds a secret alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from exporter.configfile.file import load
from exporter.configfile.named_files import named_files
from exporter.configfile.translator import fields, models_in
from exporter.docker.engine import DockerEngine
from exporter.main import REMEDIATOR_SECTIONS, read_inventory
from remediator.config.config import Config
from remediator.control.configuring import effective
from remediator.tasks.configuration_audit.rows import FindingRow
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources
from upkeeper.look.check_config import check

NAMES = (
    "restic-repository", "restic-password", "restic-env", "pg-password", "pg-passfile", "pg-key", "neo4j-password",
    "probe-password", "probe-token", "probe-body", "probe-key", "smtp-password", "slack-url", "age-identity",
    "drill-env", "bot-token", "ntfy-token", "copy-repository", "copy-password", "copy-env", "database-url",
    "chat-telegram", "chat-ntfy", "chat-app", "chat-bot", "oidc-secret",
)  # fmt: skip
PUBLIC = ("pg-root", "pg-cert", "neo4j-ca", "probe-ca", "probe-cert", "age-recipients")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config that names every file that any key can name, each of which everybody may read."""
    for name in (*NAMES, *PUBLIC):
        (tmp_path / name).write_text("content\n")
        (tmp_path / name).chmod(0o644)
    file = tmp_path / "upkeeper.yml"
    file.write_text(f"""\
docker: {{host: "unix://{tmp_path}/no-engine.sock"}}
backups:
  - name: nightly
    restic:
      repository_file: {tmp_path}/restic-repository
      password_file: {tmp_path}/restic-password
      env_file: {tmp_path}/restic-env
  - name: own
    path: {tmp_path}
    pattern: backup-*
    make:
      files: [{tmp_path}]
      encrypt: {{age_recipients_file: {tmp_path}/age-recipients, age_identity_file: {tmp_path}/age-identity}}
    copy_to:
      - restic:
          repository_file: {tmp_path}/copy-repository
          password_file: {tmp_path}/copy-password
          env_file: {tmp_path}/copy-env
    drill: {{services: [{{name: a, image: b, prove: [c], env_file: {tmp_path}/drill-env}}]}}
postgres:
  - {{name: one, password_file: {tmp_path}/pg-password}}
  - name: two
    passfile: {tmp_path}/pg-passfile
    sslrootcert: {tmp_path}/pg-root
    sslcert: {tmp_path}/pg-cert
    sslkey: {tmp_path}/pg-key
neo4j:
  - {{name: n, uri: bolt+s://h, username: u, password_file: {tmp_path}/neo4j-password, ca_file: {tmp_path}/neo4j-ca}}
services:
  - name: n8n
    probes:
      - {{url: "https://h/", basic_auth: {{username: u, password_file: {tmp_path}/probe-password}}}}
      - name: other
        url: https://h/
        method: POST
        body_file: {tmp_path}/probe-body
        bearer_token_file: {tmp_path}/probe-token
        tls_ca_file: {tmp_path}/probe-ca
        tls_cert_file: {tmp_path}/probe-cert
        tls_key_file: {tmp_path}/probe-key
notify:
  email: {{to: a@b, from: c@d, smarthost: "e:25", username: f, password_file: {tmp_path}/smtp-password}}
  slack: {{webhook_url_file: {tmp_path}/slack-url, channel: "#alerts"}}
  telegram: {{bot_token_file: {tmp_path}/bot-token, chat_id: 7}}
  ntfy: {{server: "https://ntfy.example.org", topic: alerts, token_file: {tmp_path}/ntfy-token}}
state: {{database_url_file: {tmp_path}/database-url}}
console:
  url: https://h
  oidc: {{issuer: "https://h", client_id: a, client_secret_file: {tmp_path}/oidc-secret, roles: {{a: viewer}}}}
chats:
  telegram: {{bot_token_file: {tmp_path}/chat-telegram, chat_id: 2, approvers: {{2: a}}}}
  ntfy: {{server: "https://h", token_file: {tmp_path}/chat-ntfy, answers: a, approvers: {{b: c}}}}
  slack:
    app_token_file: {tmp_path}/chat-app
    bot_token_file: {tmp_path}/chat-bot
    channel: C0123456
    approvers: {{U0123456: a}}
""")
    return file


def secrets(tmp_path: Path) -> set[str]:
    return {str(tmp_path / name) for name in NAMES}


def test_every_key_that_names_a_file_is_in_this_test(config: Path) -> None:
    named = {file.key[-1] for file in named_files(load(config, Config).value)}
    assert named == {name for name, kind in _keys(Config) if kind.endswith("file")}


def test_the_exporter_audits_them_all_those_of_the_remediator_too(config: Path, tmp_path: Path) -> None:
    assert set(read_inventory(config, None).configuration.secret_files) == secrets(tmp_path)


async def test_the_audit_reports_each_that_everybody_may_read(config: Path, tmp_path: Path) -> None:
    value = load(config, Config).value
    resources = Resources(value, docker=lambda: DockerEngine(value.docker.host, 1.0))
    rows = (await build_tasks(value, resources)["configuration-audit"].plan("file-modes")).rows
    resources.close()
    open_to_all = [row for row in rows if isinstance(row, FindingRow) and "everybody may read it" in row.message]
    assert {place.file for row in open_to_all for place in row.places} == secrets(tmp_path)


async def test_check_warns_of_each_that_everybody_may_read(config: Path, tmp_path: Path) -> None:
    warned = {
        problem.message.split("'")[1] for problem in await check(config) if "read by everybody" in problem.message
    }
    assert warned == secrets(tmp_path)


def test_show_prints_the_path_of_each_and_nothing_of_its_content(config: Path, tmp_path: Path) -> None:
    shown = set(_texts(effective(load(config, Config))))
    assert secrets(tmp_path) <= shown
    assert "content" not in shown


def test_the_remediators_secret_files_can_be_told_by_the_names_of_their_keys() -> None:
    """So the exporter, which does not know these sections, finds the same ones."""
    sections = [field for name, field in fields(Config) if name in REMEDIATOR_SECTIONS]
    keys = [key for section in sections for model in models_in(section.annotation) for key in _keys(model)]
    declared = {name for name, kind in keys if kind == "secret file"}
    assert declared == {name for name, _ in keys if name.endswith("_file")}
    assert declared == {
        "password_file", "webhook_url_file", "bot_token_file", "database_url_file", "app_token_file", "token_file",
            "client_secret_file",
    }  # fmt: skip


def _keys(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Every key of a section and of those below it, with the kind of file that it names; empty for none."""
    for name, field in fields(model):
        declaration = repr((field.annotation, field.metadata))
        yield name, next((kind for kind in ("secret file", "public file") if kind in declaration), "")
        for below in models_in(field.annotation):
            yield from _keys(below)


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for value in part.values():
            yield from _texts(value)
    elif isinstance(part, list):
        for value in part:
            yield from _texts(value)
    elif isinstance(part, str):
        yield part
