"""Files that a config names: which of them hold a secret, by the types of their keys."""

from exporter.configfile.named_files import NamedFile, named_files, secret_files, secret_files_elsewhere
from exporter.inventory.inventory import Inventory
from exporter.inventory.services import Probe


def test_each_file_with_its_key() -> None:
    inventory = Inventory.model_validate(
        {
            "postgres": [
                {"name": "a", "password_file": "/pg/password"},
                {
                    "name": "b",
                    "passfile": "/pg/passfile",
                    "sslrootcert": "/pg/ca",
                    "sslcert": "/pg/c",
                    "sslkey": "/pg/k",
                },
            ],
            "backups": [
                {
                    "name": "nightly",
                    "restic": {
                        "repository_file": "/restic/repository",
                        "password_file": "/restic/password",
                        "env_file": "/restic/env",
                    },
                }
            ],
        }
    )
    assert list(named_files(inventory)) == [
        NamedFile(("backups", 0, "restic", "repository_file"), "/restic/repository", True),
        NamedFile(("backups", 0, "restic", "password_file"), "/restic/password", True),
        NamedFile(("backups", 0, "restic", "env_file"), "/restic/env", True),
        NamedFile(("postgres", 0, "password_file"), "/pg/password", True),
        NamedFile(("postgres", 1, "passfile"), "/pg/passfile", True),
        NamedFile(("postgres", 1, "sslrootcert"), "/pg/ca", False),
        NamedFile(("postgres", 1, "sslcert"), "/pg/c", False),
        NamedFile(("postgres", 1, "sslkey"), "/pg/k", True),
    ]


def test_a_client_certificate_without_a_file_for_its_key_holds_the_key_too() -> None:
    url = "https://127.0.0.1/"
    alone = Probe.model_validate({"url": url, "tls_ca_file": "/ca", "tls_cert_file": "/cert"})
    assert secret_files(alone) == ["/cert"]
    with_key = Probe.model_validate({"url": url, "tls_cert_file": "/cert", "tls_key_file": "/key"})
    assert secret_files(with_key) == ["/key"]


def test_each_secret_file_is_told_once() -> None:
    servers = [{"name": name, "password_file": "/pg/password"} for name in ("a", "b")]
    assert secret_files(Inventory.model_validate({"postgres": servers})) == ["/pg/password"]


def test_sections_of_another_program_go_by_the_names_of_keys() -> None:
    document = {
        "email": {"password_file": "/etc/a", "to": "/etc/not-a-file"},
        "list": [{"webhook_url_file": "/etc/b"}, {"password_file": None, "other_file": "relative"}],
        "some_files": ["/etc/c"],
    }
    assert list(secret_files_elsewhere(document)) == ["/etc/a", "/etc/b"]
