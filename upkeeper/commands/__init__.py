"""The commands of ``upkeeper``, one file a family. At module level they import click and what is as light."""
