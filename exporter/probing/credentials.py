"""What a probe takes from files that are read again for each probe: what lets it in, and what it sends."""

import base64
import re

from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.inventory.services import Probe
from exporter.probing.failure import ProbeFailure
from exporter.probing.recorder import Recorder
from exporter.probing.shared_calls import SharedCalls

_reads = SharedCalls()


async def authorization(probe: Probe, recorder: Recorder) -> str | None:
    """The value of the header Authorization; None when the probe has no credentials of these kinds.

    The recorder is told to keep it secret. Raises ProbeFailure.
    """
    if probe.basic_auth is not None:
        password = await _secret("basic_auth.password_file", probe.basic_auth.password_file)
        pair = base64.b64encode(f"{probe.basic_auth.username}:{password}".encode()).decode("ascii")
        recorder.keep_secret(password, pair)
        return f"Basic {pair}"
    if probe.bearer_token_file is not None:
        token = await _secret("bearer_token_file", probe.bearer_token_file)
        if not re.fullmatch(r"[!-~]+", token):
            raise ProbeFailure("bearer_token_file holds more than one token of ASCII")
        recorder.keep_secret(token)
        return f"Bearer {token}"
    return None


async def body_to_send(probe: Probe, recorder: Recorder) -> bytes | None:
    """The body of the request; None for none. The recorder is told to keep one from a file secret.

    Raises ProbeFailure.
    """
    if probe.body_file is None:
        return None if probe.body is None else probe.body.encode()
    body = await _secret("body_file", probe.body_file)
    recorder.keep_secret(body)
    return body.encode()


async def _secret(key: str, path: str) -> str:
    """The content of a file without the line end. The read has a thread: the file may be on a mount that hangs."""
    try:
        return await _reads.run(path, lambda: read_secret(path))
    except SecretUnreadable as error:
        raise ProbeFailure(f"{key} {error}") from None
