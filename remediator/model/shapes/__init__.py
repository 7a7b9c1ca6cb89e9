"""The API's JSON, as types: what the remediator's API answers and what a Core returns is exactly this. A file a noun.

Times are RFC 3339 UTC strings, sizes are bytes, lists are newest first.

TypedDict is taken from typing_extensions: the standard library's own lacks generic classes before Python 3.12, as
pydantic needs them for the API document.
"""
