"""The corpus of web configs: good ones, and bad ones that each say at their end which problems must be found in them.

The lines are those of tests/upkeeper/look/corpus.py. ``@NAME@`` stands for the content of a certificate's file, as
text in quotes. The certificates are beside each config.
"""

import json
import re
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
GOOD = sorted((CORPUS / "good").glob("*.yml"))
BAD = sorted((CORPUS / "bad").glob("*.yml"))

SECRET = "hunter2-hunter2"
"""What stands in bad configs in the place of a password, and must be nowhere else."""


def lay(path: Path, certificates: Path, directory: Path) -> Path:
    """Puts a config of the corpus into the directory, and links to the certificates beside it."""
    for file in certificates.iterdir():
        (directory / file.name).unlink(missing_ok=True)
        (directory / file.name).symlink_to(file)
    laid = directory / path.name
    laid.write_text(
        re.sub("@([a-z.-]+)@", lambda match: json.dumps((certificates / match[1]).read_text()), path.read_text())
    )
    return laid
