"""Tests of what is answered without the command line's libraries."""
