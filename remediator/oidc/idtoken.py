"""Whether an ID token is the provider's, for us, for this login and of now, and what it claims. Pure.

The signature is checked by joserfc, which is imported here alone: only who logs in this way needs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.base.errors import UpkeeperError

if TYPE_CHECKING:
    from joserfc.jwk import Key

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Those that a provider's public key verifies. ``none`` is not one, nor any whose key the client has too."""
LEEWAY = 60
"""Seconds by which the provider's clock may differ from ours."""
_LONGEST_NAME = 200
_MOST_VALUES = 1000


class OidcError(UpkeeperError):
    """Nobody is let in. The message is for whoever tries, and holds no secret."""


@dataclass(frozen=True)
class Expected:
    """What an ID token must say. now: Unix seconds."""

    issuer: str
    client_id: str
    nonce: str
    now: float


def verified(token: str, keys: object, expected: Expected) -> Mapping[str, Any]:
    """The claims of an ID token. keys: the provider's JWK set, as it sent it. Raises OidcError."""
    from joserfc import jwt
    from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
    from joserfc.jwk import KeySet

    usable = _keys(keys)
    if not usable:
        raise OidcError("the provider publishes no key that verifies its tokens")
    try:
        claims = jwt.decode(token, KeySet(usable), algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # Whatever is wrong with its form, it is none that the provider has signed.
        raise OidcError(f"the ID token is not one that the provider has signed ({_word(error)})") from None
    wanted = jwt.JWTClaimsRegistry(
        now=int(expected.now),
        leeway=LEEWAY,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        nonce={"essential": True, "value": expected.nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        wanted.validate(claims)
    except ExpiredTokenError:
        raise OidcError("the ID token has expired; is the clock of this machine right?") from None
    except (ClaimError, TypeError, ValueError, AttributeError) as error:
        said = getattr(error, "description", "") or type(error).__name__
        raise OidcError(f"the ID token is not for this login ({said})") from None
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if claims.get("azp", None if several else expected.client_id) != expected.client_id:
        raise OidcError("the ID token is not for this login (azp: it was given to another client)")
    return claims


def _keys(document: object) -> "list[Key]":
    """Public keys for signatures. What is of an unknown kind, damaged, or for something else is passed over."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    found: list[Key] = []
    listed = document.get("keys") if isinstance(document, Mapping) else None
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP") or each.get("use") == "enc":
            continue
        try:
            found.append(JWKRegistry.import_key(each))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found


def _word(error: Exception) -> str:
    return str(getattr(error, "error", "") or type(error).__name__)


def claim(claims: Mapping[str, Any], name: str) -> object:
    """A claim by its name, or by its path where it is inside others, as in ``realm_access.roles``. None without it."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def texts(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """What a claim lists, or its one value. Of an address only one that the provider has verified."""
    if name == "email" and claims.get("email_verified") is not True:
        return frozenset()
    value = claim(claims, name)
    listed = value if isinstance(value, list) else [value]
    return frozenset(each for each in listed[:_MOST_VALUES] if isinstance(each, str))


def name_of(claims: Mapping[str, Any], key: str) -> str:
    """What somebody is called in the record. Raises OidcError."""
    names = texts(claims, key)
    name = min(names) if len(names) == 1 else ""
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise OidcError(
            f"the provider gives no {key} that could be a name; `console.oidc.user_claim` says which claim is"
        )
    return name
