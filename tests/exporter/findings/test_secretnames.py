"""Which variables hold secrets, by their names."""

import pytest

from exporter.findings.secretnames import holds_secret, secret_in_url, secret_name

SECRET = [
    "PASSWORD", "db_passwd", "DB_PASS", "DBPASS", "SMTP_PASS", "RABBITMQ_DEFAULT_PASS", "PGPASSWORD",
    "MYSQL_ROOT_PASSWORD", "dbPassword", "db-password", "API_KEY", "apikey", "OPENAI_API_KEY", "OPENAI_KEY",
    "JWT_KEY", "APP_KEY", "VAULT_ENC_KEY", "ENCRYPTION_KEY", "AWS_SECRET_ACCESS_KEY", "SERVICE_ROLE_KEY", "ANON_KEY",
    "PG_META_CRYPTO_KEY", "SECRET_KEY", "SECRET_KEY_BASE", "APP_KEY_OLD", "S3_PROTOCOL_ACCESS_KEY_SECRET", "PSK",
    "WIFI_PSK", "JWT_SECRET", "JWT_SECRET_2", "AUTH_SECRET", "GITHUB_TOKEN", "ACCESS_TOKEN", "BOT_TOKEN",
    "LOGFLARE_PUBLIC_ACCESS_TOKEN", "NEO4J_AUTH", "REDISCLI_AUTH", "SALT", "PASSWORD_SALT", "MINIO_ROOT_PASSWORD",
    "GOOGLE_CREDENTIALS", "PASSPHRASE", "MONITOR_TOKEN", "DB_PWD", "LANGFUSE_INIT_PROJECT_SECRET_KEY",
    "TELEGRAM_TOKEN",
]  # fmt: skip
PLAIN = [
    "HOST", "PWD", "OLDPWD", "KEYBOARD", "AUTHOR", "PASSWORD_FILE", "SECRET_NAME", "TOKEN_TTL", "MAX_TOKENS",
    "TOKENIZERS_PARALLELISM", "TOKENIZER", "ENABLE_PASSWORD_LOGIN", "ACCESS_TOKEN_EXPIRE_MINUTES", "SMTP_AUTH",
    "TOKEN_ENDPOINT", "MAX_TOKENS_PER_REQUEST", "PASSWORD_POLICY_REGEX", "ALLOW_EMPTY_PASSWORD",
    "MYSQL_RANDOM_ROOT_PASSWORD", "PUBLIC_KEY", "LANGFUSE_INIT_PROJECT_PUBLIC_KEY", "SORT_KEY", "PRIMARY_KEY", "KEY",
    "AWS_ACCESS_KEY_ID", "JWT_EXPIRY", "DISABLE_SIGNUP", "BYPASS", "COMPASS", "AUTH_TYPE", "N8N_SMTP_PASS_FILE",
    "KEYCLOAK_URL", "SECRET_PATH", "PASSWORD_MIN_LENGTH", "CREDENTIALS_DIR", "USE_API_KEY",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_names_of_secrets(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize("name", ["", "_", "1", *PLAIN])
def test_names_of_none(name: str) -> None:
    assert not secret_name(name)


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("postgres://user:hunter2@db:5432/x", True),
        ("redis://:hunter2@cache", True),
        ("http://host:80/a@b", False),
        ("https://user@example.org", False),
        ("amqp://guest:\ufffc@mq", False),
        ("", False),
    ],
)
def test_a_url_with_a_password_is_one(value: str, secret: bool) -> None:
    assert secret_in_url(value) == secret
    assert holds_secret("DATABASE_URL", value) == secret


def test_an_empty_one_holds_none() -> None:
    assert not holds_secret("PASSWORD", "")
