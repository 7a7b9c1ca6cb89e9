"""Tokens on the screen."""

from datetime import UTC, datetime

from exporter.base.spans import ago
from remediator.model.shapes.answers import Page
from remediator.model.shapes.tokens import NewTokenView, TokenView
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import local


def show_tokens(screen: Screen, page: Page[TokenView]) -> None:
    """One line a token, newest first."""
    now = datetime.now(UTC)
    screen.document(page)
    screen.table(
        [
            Column("token"),
            Column("role"),
            Column("state"),
            Column("made"),
            Column("by"),
            Column("expires"),
            Column("last used"),
        ],
        [
            [
                Cell(token["name"], "bold"),
                token["role"],
                state(token["state"]),
                ago(token["created_at"], now),
                " ".join(filter(None, (token["created_by"]["trigger"], token["created_by"]["name"]))),
                local(token["expires_at"]) if token["expires_at"] else "never",
                ago(token["last_used_at"], now),
            ]
            for token in page["items"]
        ],
        empty="there are no tokens beside those in the files tokens/operator and tokens/alertmanager",
    )


def show_new_token(screen: Screen, token: NewTokenView) -> None:
    """The token alone on stdout, so that it can go into a file, and the rest on stderr."""
    screen.document(token)
    if screen.as_json:
        return
    expires = f", until {local(token['expires_at'])}" if token["expires_at"] else ""
    screen.note(f"token {token['name']} with the role {token['role']}{expires}; it is shown this once:")
    screen.out.file.write(token["token"] + "\n")
