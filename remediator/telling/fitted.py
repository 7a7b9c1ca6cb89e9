"""A message that fits where texts have a limit. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from remediator.telling.words import Message


def fitted(whole: Message, length: Callable[[Message], int], most: int) -> Message:
    """The message, as much of it as fits, by what is least missed: first the oldest lines of evidence go, then the last
    things that were done, the facts, and what the alert says. Links go only when they alone are too long, the longest
    first. The sentence and what one can do stay.
    """
    one = whole
    for one in _shorter(whole):
        if length(one) <= most:
            break
    return one


def _shorter(one: Message) -> Iterator[Message]:
    yield one
    evidence = [(name, list(lines)) for name, lines in one.evidence]
    while evidence:
        at = max(range(len(evidence)), key=lambda number: len(evidence[number][1]))
        name, lines = evidence[at]
        evidence[at : at + 1] = [(name, lines[1:])] if len(lines) > 1 else []
        one = replace(one, evidence=list(evidence))
        yield one
    for kept in range(len(one.done) - 2, 0, -1):
        yield replace(one, done=[*one.done[:kept], "and more"])
    yield (one := replace(one, done=()))
    yield (one := replace(one, facts=()))
    yield (one := replace(one, what=""))
    links: Sequence[tuple[str, str]] = one.links
    while links:
        longest = max(links, key=lambda link: len(link[1]))
        links = [link for link in links if link is not longest]
        one = replace(one, links=links)
        yield one
