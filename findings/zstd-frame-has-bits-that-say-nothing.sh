#!/bin/sh
# A zstd frame with its checksum of the content (what `zstd` writes by default) can be changed in single bits so that it
# decodes to the very same content, without an error: some bits of headers, of tables and at the end of a bit stream say
# nothing. So a test that reads an archive to its end shows the content, and not that the file is the one that was
# written; only a hash of the file does. And a test of such a test, which flips bits, must compare the content before it
# calls one missed: one of Upkeeper's failed by that, once in many runs.
set -eu

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check zstandard==0.25.0

"$directory/venv/bin/python" - <<'PYTHON'
import random
import sys

import zstandard

numbers = random.Random(1)
content = "\n".join(f"2026-11-28 job {line} took {numbers.randrange(9000)} ms" for line in range(400)).encode()
frame = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)
assert zstandard.get_frame_parameters(frame).has_checksum
decompressor = zstandard.ZstdDecompressor(max_window_size=2**23)
same = other = refused = 0
for bit in range(8 * len(frame)):
    changed = bytearray(frame)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        stream = decompressor.decompressobj()
        read = stream.decompress(bytes(changed))
    except zstandard.ZstdError:
        refused += 1
        continue
    if not stream.eof:  # it waits for more: a reader that does not ask for this takes the content for shorter
        refused += 1
        continue
    same += read == content
    other += read != content
print(f"zstandard {zstandard.__version__}, zstd {'.'.join(map(str, zstandard.ZSTD_VERSION))}")
print(f"of {8 * len(frame):,} single bits of a frame of {len(frame):,} bytes, changed one at a time:")
print(f"{refused:,} were noticed, {same} gave the same content, {other} other content")
sys.exit(0 if same > 0 and other == 0 and refused > same else 1)
PYTHON
