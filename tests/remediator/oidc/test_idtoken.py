"""Which ID tokens count."""

import base64
import hmac
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey, RSAKey

from remediator.oidc.idtoken import LEEWAY, Expected, OidcError, claim, name_of, texts, verified
from tests.helpers import rounds
from tests.remediator.oidc.provider_stand_in import KEY, OTHER, signed

NOW = 1_800_000_000.0
EXPECTED = Expected("https://sso.example.org", "upkeeper", "n0", NOW)
KEYS = KeySet([KEY]).as_dict(private=False)


def claims(**more: Any) -> dict[str, Any]:
    given = {"iss": EXPECTED.issuer, "aud": "upkeeper", "nonce": "n0", "sub": "7", "iat": NOW, "exp": NOW + 300, **more}
    return {name: value for name, value in given.items() if value is not None}


def unsigned(values: dict[str, Any], algorithm: str = "none", signature: str = "") -> str:
    parts = ({"alg": algorithm, "kid": "first"}, values)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, signature])


def test_a_token_that_the_provider_signed_for_us_counts() -> None:
    rsa, edwards = RSAKey.generate_key(2048, {"kid": "rsa"}), OKPKey.generate_key("Ed25519", {"kid": "edwards"})
    keys = KeySet([rsa, KEY, edwards]).as_dict(private=False)
    for key, algorithm in ((rsa, "RS256"), (rsa, "PS512"), (KEY, "ES256"), (edwards, "EdDSA")):
        assert verified(signed(claims(), key, algorithm), keys, EXPECTED)["sub"] == "7"
    several = claims(aud=["other", "upkeeper"], azp="upkeeper")
    assert verified(signed(several), keys, EXPECTED)["sub"] == "7"
    for key, algorithm in ((rsa, "ES256"), (KEY, "RS256")):  # what the header says is not what the key is for
        head, _, rest = signed(claims(), key, "RS256" if key is rsa else "ES256").partition(".")
        wrong = unsigned(claims(), algorithm).partition(".")[0].replace(head, "")
        with pytest.raises(OidcError, match="signed"):
            verified(f"{wrong}.{rest}", keys, EXPECTED)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"iss": "https://evil.example.org"}, "iss"),
        ({"iss": "https://sso.example.org/"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"aud": ["other"]}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["other", "upkeeper"]}, "azp"),
        ({"azp": "other"}, "azp"),
        ({"nonce": "n1"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"sub": None}, "sub"),
        ({"sub": 7}, "sub"),
        ({"exp": None}, "exp"),
        ({"exp": "never"}, "exp"),
        ({"exp": float("nan")}, "signed|exp"),
        ({"exp": NOW - LEEWAY - 1}, "expired"),
        ({"iat": NOW + LEEWAY + 1}, "in the future"),
        ({"iat": None}, "iat"),
        ({"nbf": NOW + LEEWAY + 1}, "not yet valid"),
    ],
)
def test_one_for_somebody_or_sometime_else_does_not(change: dict[str, Any], says: str) -> None:
    with pytest.raises(OidcError, match=says):
        verified(signed(claims(**change)), KEYS, EXPECTED)


@pytest.mark.parametrize("change", [{"exp": NOW - LEEWAY + 2}, {"iat": NOW + LEEWAY - 2}, {"nbf": NOW + LEEWAY - 2}])
def test_clocks_may_differ_a_little(change: dict[str, Any]) -> None:
    assert verified(signed(claims(**change)), KEYS, EXPECTED)


def with_public_key_as_secret() -> str:
    """The algorithm changed to one where the public key, which everybody has, would be the secret."""
    head = unsigned(claims(), "HS256")[:-1]
    made = hmac.digest(KEY.as_pem(private=False), head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


FORGED: Mapping[str, Callable[[], str]] = {
    "another's key": lambda: signed(claims(), OTHER),
    "no algorithm": lambda: unsigned(claims()),
    "no algorithm, otherwise": lambda: unsigned(claims(), "None"),
    "no algorithm, and something": lambda: unsigned(claims(), signature="AAAA"),
    "no signature": lambda: unsigned(claims(), "ES256"),
    "a short signature": lambda: unsigned(claims(), "ES256", "AAAA"),
    "of another type": lambda: unsigned(claims(), "RS256", "AAAA"),
    "the public key as secret": with_public_key_as_secret,
    "signature cut off": lambda: signed(claims()).rsplit(".", 1)[0] + ".",
    "signature cut": lambda: signed(claims())[:-4],
    "five parts": lambda: signed(claims()) + ".x.y",
    "an unknown key": lambda: jwt.encode({"alg": "ES256", "kid": "unknown"}, claims(), KEY),
    "brings its key": lambda: jwt.encode(
        {"alg": "ES256", "kid": "first", "jwk": OTHER.as_dict(private=False)}, claims(), OTHER
    ),
    "nothing": lambda: "",
    "points": lambda: "..",
    "letters": lambda: "a.b.c",
    "not ASCII": lambda: "\u00e4.\u00e4.\u00e4",
    "very deep": lambda: "[" * 100_000,
}


@pytest.mark.parametrize("how", FORGED)
def test_one_that_the_provider_did_not_sign_does_not(how: str) -> None:
    with pytest.raises(OidcError, match="signed"):
        verified(FORGED[how](), KEYS, EXPECTED)


def test_no_change_to_a_token_goes_unnoticed() -> None:
    token, seed = signed(claims()), random.Random(14)
    end = len(token) - 1  # some bits of the last character mean nothing
    for _ in range(rounds("ID_TOKENS", 100, 20_000)):
        at = seed.randrange(end)
        other = token[:at] + seed.choice("ABCxyz059-_.=\n\0\u00e4") + token[at + 1 :]
        if other == token:
            continue
        with pytest.raises(OidcError):
            verified(other, KEYS, EXPECTED)


@pytest.mark.parametrize("keys", [None, [], {}, {"keys": 5}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AAAA"}]}])
def test_without_a_key_nothing_counts(keys: object) -> None:
    with pytest.raises(OidcError, match="no key"):
        verified(signed(claims()), keys, EXPECTED)


def test_a_key_for_secrecy_verifies_nothing() -> None:
    key = {**KEY.as_dict(private=False), "use": "enc"}
    with pytest.raises(OidcError):
        verified(signed(claims()), {"keys": [key, OTHER.as_dict(private=False)]}, EXPECTED)


@pytest.mark.parametrize(
    ("given", "name", "wanted"),
    [
        ({"groups": ["a", "b", 5, None]}, "groups", {"a", "b"}),
        ({"role": "a"}, "role", {"a"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"https://x.org/roles": ["a"]}, "https://x.org/roles", {"a"}),
        ({"realm_access": 5}, "realm_access.roles", set()),
        ({}, "groups", set()),
        ({"groups": {"a": 1}}, "groups", set()),
        ({"email": "a@b", "email_verified": True}, "email", {"a@b"}),
        ({"email": "a@b", "email_verified": "true"}, "email", set()),
        ({"email": "a@b"}, "email", set()),
    ],
)
def test_what_a_claim_says(given: dict[str, Any], name: str, wanted: set[str]) -> None:
    assert texts(given, name) == wanted


@pytest.mark.parametrize("name", [None, "", " ", "a\nb", "x" * 201, ["a", "b"], 5, {"a": "b"}])
def test_what_is_no_name_is_not_taken_for_one(name: object) -> None:
    with pytest.raises(OidcError, match="user_claim"):
        name_of({"preferred_username": name}, "preferred_username")
    assert claim({"a": {"b": 1}}, "a.b.c") is None
