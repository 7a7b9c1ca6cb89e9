"""Whether a service is brought to a new image, and why not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.base.text import format_time
from exporter.base.units import format_duration
from exporter.docker.objects import timestamp
from remediator.config.images import UpdatePolicy
from remediator.tasks.image_update.distribution import RemoteImage
from remediator.tasks.image_update.references import Reference
from remediator.tasks.image_update.services import UPDATE_LABEL, LocalImage, Member
from remediator.tasks.image_update.versions import Told, breaks, database_of

POLICIES: tuple[UpdatePolicy, ...] = ("auto", "approve", "never")


def policy_of(member: Member, configured: UpdatePolicy | None) -> UpdatePolicy | None:
    """What its label says, else the config, else that a person approves; None for a label that says nothing known."""
    said = member.labels.get(UPDATE_LABEL)
    if said is None:
        return configured or "approve"
    return next((each for each in POLICIES if each == said), None)


def without_image_label(
    policy: UpdatePolicy | None, labels: Mapping[str, str], configured: UpdatePolicy | None
) -> UpdatePolicy | None:
    """The same, unless it is the image that says ``auto``, whose labels its containers inherit: whoever publishes an
    image does not decide that it is updated without a person.
    """
    if policy == "auto" and UPDATE_LABEL in labels:
        return configured or "approve"
    return policy


def why_left_out(members: Sequence[Member], keep_label: str, policy: UpdatePolicy | None) -> str:
    """Why nothing is done about a service, before anything is asked; empty where nothing is in the way."""
    kept = next((each for each in members if keep_label in each.labels), None)
    if kept is not None:
        return f"{kept.state.name} has the label {keep_label}"
    if policy == "never":
        return f"it is never updated ({UPDATE_LABEL}=never, or the config)"
    if policy is None:
        said = members[0].labels.get(UPDATE_LABEL)
        return f"its label {UPDATE_LABEL}={said} must be auto, approve or never"
    for state in (each.state for each in members):
        if state.status in ("exited", "created", "dead"):
            return f"{state.name} is not running, and stays as it is"
        if state.status != "running":
            return f"{state.name} is {state.status}"
    if len({(each.image, each.image_id) for each in members}) > 1:
        return "its containers do not all run the same image: docker compose up -d brings them together first"
    if members[0].invocation is None:
        return "its labels do not tell which Compose files it was made with"
    return ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service that runs, and what its registry has for it. image: what the user's files ask for."""

    image: Reference
    running: Reference | None
    """The name that its container was made with."""
    local: LocalImage
    remote: RemoteImage


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a candidate. hold: why it is not taken now; empty where it is. major: in words, where it crosses
    a major version.
    """

    hold: str
    major: str
    pending: bool
    """Whether it would be taken by itself: it waits for nothing but that."""


def judge(candidate: Candidate, min_age: float, now: float, *, young: bool = False, major: bool = False) -> Verdict:
    """young: take it whatever its age. major: take another major version, but never of a database."""
    before = Told(
        candidate.local.environment, candidate.local.labels,
        (candidate.running or candidate.image).path, (candidate.running or candidate.image).tag,
    )  # fmt: skip
    after = Told(candidate.remote.environment, candidate.remote.labels, candidate.image.path, candidate.image.tag)
    crossed = breaks(before, after)
    if crossed and (database_of(after) is not None or database_of(before) is not None):
        return Verdict(
            f"the new image is another major version ({crossed}), and data of a database does not cross that "
            "by itself: export, update by hand, import",
            crossed,
            False,
        )
    if crossed and not major:
        return Verdict(f"the new image is another major version ({crossed}): -p major=true takes it", crossed, False)
    created = timestamp(candidate.remote.created)
    if created is None and min_age and not young:
        return Verdict(
            "when the new image was built is not told, so its age is unknown: -p young=true takes it", crossed, False
        )
    if created is not None and now - created < min_age and not young:
        age = format_duration(max(60.0, (now - created) // 60 * 60))
        due = format_time(created + min_age)
        return Verdict(
            f"the new image was built {age} ago, and is taken from {due} on: -p young=true takes it now", crossed, False
        )
    return Verdict("", crossed, True)


def is_current(local: LocalImage, remote: RemoteImage) -> bool:
    """Whether what runs is what the registry has, by whichever digest the engine's image store knows it.

    The classic store's id is the digest of the config, the containerd store's that of the index or the manifest.
    """
    return bool(remote.digests & {*local.digests, local.id})
