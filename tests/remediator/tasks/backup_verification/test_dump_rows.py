"""Rows of a dump are counted whatever the pieces are in which it comes."""

import random

import pytest

from remediator.tasks.backup_verification.dump_rows import DumpRows, RowsUnclear, unquoted

SCRIPT = b"""--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SELECT pg_catalog.lo_open('16400', 131072);

COPY "Select"."odd ""name" (a, "b c") FROM stdin;
1\tCOPY x.y (z) FROM stdin;
2\t\\\\.
3\t\\\\n
\\.


COPY public.nothing (a) FROM stdin;
\\.

COPY public.no_columns  FROM stdin;


\\.

SELECT pg_catalog.setval('public.s', 7, true);
"""
ROWS = {'Select.odd "name': 3, "public.nothing": 0, "public.no_columns": 2}


@pytest.mark.parametrize("seed", range(200))
def test_in_any_pieces(seed: int) -> None:
    rng, at, seen = random.Random(seed), 0, DumpRows()
    while at < len(SCRIPT):
        size = rng.choice((1, 2, 7, 40, 1000))
        seen.write(SCRIPT[at : at + size])
        at += size
    seen.finish()
    assert seen.rows == ROWS


def test_one_that_ends_within_a_table() -> None:
    for end in range(SCRIPT.index(b"1\tCOPY"), SCRIPT.index(b"\\.\n\n\nCOPY") + 2):
        seen = DumpRows()
        seen.write(SCRIPT[:end])
        with pytest.raises(RowsUnclear, match=r'ends within Select\.odd "name'):
            seen.finish()


def test_names_are_compared_without_quotes() -> None:
    assert unquoted('"Select"."odd ""name"') == 'Select.odd "name'
    assert unquoted("public.x") == "public.x"
    assert unquoted('public."Where.x"') == "public.Where.x"
