"""What every answer has in common: pages of lists, and refusals."""

from typing import Generic, TypeVar

from typing_extensions import TypedDict

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """One page of a list. ``next`` is the cursor of the page after it (``before=``), null on the last page."""

    items: list[T]
    next: int | None


class Problem(TypedDict, total=False):
    """An error as RFC 9457 ``application/problem+json``; ``guard`` is there when a guard blocked."""

    type: str
    title: str
    status: int
    detail: str
    guard: str
