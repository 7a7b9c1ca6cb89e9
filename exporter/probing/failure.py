"""How a probe fails in a way that can be foreseen, in words."""

import os
import ssl

from exporter.base.errors import UpkeeperError


class ProbeFailure(UpkeeperError):
    """The probe failed. The message is one line for people, and holds nothing of headers, bodies or credentials.

    brief: the same without addresses, hosts that the network names, or what a peer sent: of a probe, no more than a
    handful of texts are possible, so that it can be the label of a metric. The message itself where that is so already.
    """

    def __init__(self, message: str, brief: str | None = None) -> None:
        super().__init__(message)
        self.brief = message if brief is None else brief


def reason(error: BaseException) -> str:
    """What went wrong, from the innermost of the wrapped exceptions: the outer ones say only that something did."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ssl.SSLError):
        return tls_reason(error)
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror or os.strerror(error.errno)
    return str(error) or type(error).__name__


def brief(error: BaseException) -> str:
    """``reason`` as a label may have it: of errors with words of their own no more than the kind."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    known = isinstance(error, ssl.SSLError) or (isinstance(error, OSError) and error.errno is not None)
    return brief_of_tls(reason(error)) if known else type(error).__name__


def brief_of_tls(text: str) -> str:
    """The words of ``tls_reason`` without the name that the certificate is not valid for."""
    return text.partition(",")[0]


def tls_reason(error: ssl.SSLError) -> str:
    """Why TLS failed, without OpenSSL's codes and lines of source."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
