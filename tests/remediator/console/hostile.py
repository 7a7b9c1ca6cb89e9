"""Answers of every operation, made of the shapes that the API declares: what is text there is whatever is given here.

So a page is tried with hostile text in each field that it could show, and in one that is added later too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Required, TypeVar, Union, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

import remediator.api.operations as table
from remediator.api.parameters import answer

TIME = "2026-11-28T10:00:00.000Z"
_TIMES = frozenset(
    {"at", "since", "until", "before", "after", "held_until", "journal_since", "told_at", "failing_since"}
)
_NONE = frozenset({"continued_by"})


@dataclass(frozen=True)
class Answers:
    """As the operations. text: what stands in each text. turn: which of the words is chosen where there are several."""

    text: str
    turn: int = 0

    def __getattr__(self, name: str) -> Any:
        if name not in {each.name for each in table.OPERATIONS}:
            raise AttributeError(name)
        [operation] = [each for each in table.OPERATIONS if each.name == name]

        async def ask(*_: object, **__: object) -> Any:
            return self.made(answer(operation))

        return ask

    def made(self, kind: Any, key: str = "", of: str = "", bound: Mapping[Any, Any] | None = None) -> Any:
        """A value of a type."""
        bound = bound or {}
        origin, among = get_origin(kind), get_args(kind)
        if isinstance(kind, TypeVar):
            return self.made(bound[kind], key, of)
        if origin in (Required, NotRequired):
            return self.made(among[0], key, of, bound)
        if origin is Literal:
            return among[self.turn % len(among)]
        if origin in (Union, UnionType):
            return (
                None if key in _NONE else self.made(next(one for one in among if one is not NoneType), key, of, bound)
            )
        if origin is list:
            return [self.made(among[0], key, of, bound) for _ in range(2)]
        if origin is dict:
            return self._mapping(*among, of)
        shape = origin or kind
        if is_typeddict(shape):
            inside = dict(zip(getattr(shape, "__parameters__", ()), among, strict=False))
            hints = get_type_hints(shape, include_extras=True)
            return {name: self.made(hint, name, shape.__name__, inside) for name, hint in hints.items()}
        return self._single(kind, key, of)

    def _single(self, kind: Any, key: str, of: str) -> Any:
        if kind is str:
            is_time = (key.endswith(("_at", "_since")) or key in _TIMES) and of != "JobView"
            return TIME if is_time or (of == "JobView" and key.endswith("_at")) else self.text
        return {
            int: 1 if key == "position" else 7,
            float: 7.0,
            bool: self.turn % 2 == 0,
            bytes: self.text.encode("utf-8", "replace"),
        }.get(kind, self.text)

    def _mapping(self, key: Any, value: Any, of: str) -> dict[Any, Any]:
        made = [self.made(value, "", of) for _ in range(2)]
        if get_origin(key) is Literal:
            return dict.fromkeys(get_args(key), made[0])
        if value is Any:
            return {self.text: self.text, "nested": {self.text: [self.text]}}
        known = ("alertname", "severity", "summary") if value is str else ()
        return {self.text: made[0], f"{self.text}2": made[1], **dict.fromkeys(known, made[0])}
