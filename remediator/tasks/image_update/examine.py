"""A new image examined by what is installed: its signature by cosign, known vulnerabilities by trivy or grype.

Programs get lists of arguments, never a shell, and end with their deadline. cosign: ``cosign verify`` with ``--key``,
or with ``--certificate-identity`` and ``--certificate-oidc-issuer`` (https://docs.sigstore.dev/cosign/verifying/verify/).
"""

import asyncio
import hashlib
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.base import programs
from exporter.base.text import counted
from exporter.base.units import format_duration
from remediator.config.images import Images, Signature
from remediator.model.task import TaskError
from remediator.security.sources import scanner
from remediator.security.sources.scanner import Scanner, Vulnerability
from remediator.tasks.image_update.references import Reference

SIGNATURE_SECONDS = 120.0
_PASSED_ON = ("DOCKER_CONFIG", "XDG_CACHE_HOME", "TUF_ROOT", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")
_NAMED = 5


@dataclass(frozen=True)
class Examination:
    """What a new image must pass: signatures, any of which is enough, and a scanner."""

    signatures: Sequence[Signature]
    scanner: Scanner | None

    @property
    def rule(self) -> str:
        """Tells two apart: what passed one has not passed another. Empty where there is nothing to pass."""
        if not self.signatures and self.scanner is None:
            return ""
        text = "\n".join(
            (*(each.model_dump_json() for each in self.signatures), self.scanner.name if self.scanner else "")
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def words(self) -> str:
        """What is done, for people."""
        parts = ["cosign verifies its signature"] if self.signatures else []
        if self.scanner is not None:
            parts.append(f"{self.scanner.name} finds no critical vulnerability that what runs does not have")
        return " and ".join(parts)


def examination(settings: Images, image: Reference) -> tuple[Examination, str]:
    """What is asked of an image, and why that cannot be done here; empty where it can."""
    signatures = [
        each for each in settings.signatures if any(fnmatchcase(image.name, pattern) for pattern in each.images)
    ]
    found = Examination(signatures, scanner.installed() if settings.scan else None)
    if signatures and shutil.which("cosign") is None:
        return found, "its signature must be verified (images.signatures), and cosign is not on PATH"
    return found, ""


async def examine(asked: Examination, new: str, running: str, seconds: float, host: str) -> str:
    """What was shown, in words. new, running: names or ids of images. host: the engine, as DOCKER_HOST names it.

    Raises TaskError where the image must not be taken, or that cannot be told.
    """
    shown = []
    if asked.signatures:
        shown.append(await _signed(asked.signatures, new))
    if asked.scanner is not None:
        shown.append(await _scanned(asked.scanner, new, running, seconds, host))
    return "; ".join(shown)


async def _signed(signatures: Sequence[Signature], image: str) -> str:
    """By one of these. Raises TaskError."""
    complaint = ""
    for each in signatures:
        by = ["--key", each.verifier] if each.verifier is not None else [
            "--certificate-identity", str(each.identity), "--certificate-oidc-issuer", str(each.issuer),
        ]  # fmt: skip
        try:
            async with asyncio.timeout(SIGNATURE_SECONDS):
                done = await programs.run(["cosign", "verify", *by, image], passed_on=_PASSED_ON)
        except TimeoutError:
            raise TaskError(f"cosign did not end within {format_duration(SIGNATURE_SECONDS)}") from None
        except (OSError, programs.CommandFailed) as error:
            raise TaskError(f"cosign cannot verify {image}: {error}") from error
        if done.status == 0:
            return f"cosign verified its signature ({each.verifier or each.identity})"
        complaint = done.complaint
    raise TaskError(f"its signature does not count: cosign says of {image}: {complaint}")


async def _scanned(program: Scanner, new: str, running: str, seconds: float, host: str) -> str:
    """Raises TaskError where the new image is worse, or that cannot be told."""
    try:
        async with asyncio.timeout(seconds):
            found = await scanner.scan(program, new, host)
            worse = critical(found)
            if worse:
                worse -= critical(await scanner.scan(program, running, host))
    except TimeoutError:
        raise TaskError(f"{program.name} did not end within {format_duration(seconds)} (images.scan_time)") from None
    except (programs.CommandFailed, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise TaskError(f"{program.name} could not scan it, so that it was not taken: {said} (images.scan)") from error
    if worse:
        names = ", ".join(f"{id_} in {package}" for id_, package in sorted(worse)[:_NAMED])
        more = f" and {len(worse) - _NAMED} more" if len(worse) > _NAMED else ""
        raise TaskError(
            f"{program.name} finds {counted(len(worse), 'critical vulnerability', 'critical vulnerabilities')} in it "
            f"that the image that runs does not have: {names}{more}"
        )
    return f"{program.name}: {_counts(found)}"


def critical(found: Sequence[Vulnerability]) -> set[tuple[str, str]]:
    """The critical ones, by id and package. Pure."""
    return {(one.id, one.package) for one in found if one.severity == "critical"}


def _counts(found: Sequence[Vulnerability]) -> str:
    counts = Counter(one.severity for one in found)
    words = [f"{counts[word]} {word}" for word in ("critical", "high", "medium", "low") if counts[word]]
    return (
        f"{', '.join(words)} known vulnerabilities, none critical that what runs does not have"
        if words
        else ("no known vulnerability")
    )
