"""Tokens."""

from typing import Literal

from typing_extensions import TypedDict

from remediator.model.shapes.callers import CallerView


class TokenView(TypedDict):
    """A named token, of which only a hash is stored. ``last_used_at`` is exact to the hour; null: never used.

    ``state`` is ``valid``, ``expired`` or ``revoked``.
    """

    name: str
    role: Literal["viewer", "operator", "alertmanager"]
    state: Literal["valid", "expired", "revoked"]
    created_at: str
    created_by: CallerView
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class NewTokenView(TokenView):
    """A token that was just made. ``token`` is shown this once and stored nowhere."""

    token: str
