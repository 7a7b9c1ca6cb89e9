"""``python -m tests.torture.guided KIND [ARGUMENT]...``: fuzzing that is guided by coverage.

By Atheris, whose arguments are libFuzzer's (https://llvm.org/docs/LibFuzzer.html). It ends with a status other than 0
where something is wrong, takes too long, or takes too much memory, and leaves that input behind.
"""

import random
import sys

import atheris

with atheris.instrument_imports(include=["exporter", "remediator", "yaml", "cronsim"]):
    from tests.remediator.judged import JUDGES
from tests.remediator.webhook.mutations import mutated


def damaged(data: bytes, most: int, seed: int) -> bytes:
    """A document of JSON with another value as often as with other bytes: what reads JSON is no Python, whose branches
    could lead from one to the next.
    """
    source = random.Random(seed)
    return mutated(data, source)[:most] if source.random() < 0.5 else bytes(atheris.Mutate(data, most))


def main(kind: str, *arguments: str) -> None:
    more = {"custom_mutator": damaged} if kind == "payload" else {}
    atheris.Setup([sys.argv[0], *arguments], JUDGES[kind], **more)
    atheris.Fuzz()


main(*sys.argv[1:])
