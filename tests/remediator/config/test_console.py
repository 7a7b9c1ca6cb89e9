"""Where the console is reached from outside, and which header may name a person: what is refused, and how."""

import pytest
from pydantic import ValidationError

from remediator.config.console import Console

REFUSED_URLS = {
    "ops.example.org/upkeeper": "must be a url that begins with http:// or https://",
    "//ops.example.org": "must be a url that begins with http:// or https://",
    "ftp://ops.example.org": "must be a url that begins with http:// or https://",
    "https://": "must be a url",
    "https://ops.example.org/?a=b": "without a query",
    "https://ops.example.org/up?": "without a query",
    "https://ops.example.org/up#": "without a query",
    "https://ops.example.org/up#x": "without a query",
    "https://ops.example.org//up": "without a query",
    "https://ops.example.org/%2e": "without a query",
    "https://ops.example.org/../up": "without . and .. in its path",
    "https://ops.example.org/up/.": "without . and .. in its path",
    "https://ops.example.org/up/console": "without /console at its end",
    "https://ops.example.org/console/": "without /console at its end",
    "https://\u00f6ps.example.org": "a name with other letters begins xn--",
    "https://anna:geheim@ops.example.org": "must not contain credentials",
    "https://ops.example.org:0": "a port between 1 and 65535",
    "https://ops.example.org:99999": "a number between 1 and 65535",
}
KEPT_URLS = {
    "https://ops.example.org": "",
    "https://ops.example.org/": "",
    "https://ops.example.org:8443/a/b/": "/a/b",
    "http://127.0.0.1:10747": "",
    "https://xn--ps-eka.example.org/consoles": "/consoles",
}


@pytest.mark.parametrize(("url", "why"), REFUSED_URLS.items())
def test_an_address_that_links_could_not_be_made_of_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Console.model_validate({"url": url})
    [error] = refused.value.errors()
    assert why in error["msg"]
    assert "geheim" not in error["msg"]


@pytest.mark.parametrize(("url", "prefix"), KEPT_URLS.items())
def test_one_that_they_can_is_taken_without_its_last_slash(url: str, prefix: str) -> None:
    console = Console.model_validate({"url": url})
    assert (console.url, console.prefix) == (url.rstrip("/"), prefix)


HEADERS = ["Host", "authorization", "Cookie", "Origin", "Referer", "X-Forwarded-For", "Forwarded", "Sec-Fetch-Site",
           "HX-Request", "Content-Type", "Accept-Language", "User-Agent", "Proxy-Authorization", "Upgrade",
           "Remote User", "Remote_User", "", "X:", "X\r\nY", "1x", "x" * 64]  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_others_send_or_that_is_none_names_nobody(name: str) -> None:
    with pytest.raises(ValidationError):
        Console.model_validate({"users": {"anna": "viewer"}, "user_header": {"name": name, "from": ["127.0.0.1"]}})


@pytest.mark.parametrize("name", ["Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-authentik-username"])
def test_those_that_proxies_have_for_it_are_taken(name: str) -> None:
    Console.model_validate({"users": {"anna": "viewer"}, "user_header": {"name": name, "from": ["127.0.0.1"]}})
