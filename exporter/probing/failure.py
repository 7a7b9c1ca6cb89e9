"""How a probe fails in a way that can be foreseen, in words."""

import os
import ssl


class ProbeFailure(Exception):
    """The probe failed. The message is one line for people, and holds nothing of headers, bodies or credentials."""


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


def tls_reason(error: ssl.SSLError) -> str:
    """Why TLS failed, without OpenSSL's codes and lines of source."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
