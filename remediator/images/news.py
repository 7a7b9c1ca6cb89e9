"""What registries had for each service when they were last asked, and how its last update went, as files in the state
directory: what is told of them outlives a restart, and what a command saw counts too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from remediator.images import documents

FOLDER = "image-updates"
"""Below the state directory; in it a folder for each project."""
Kind = Literal["image", "version", "major"]
"""A new image of the tag; newer tags of the same major version; what crosses one, by a tag or in the image."""
Outcome = Literal["updated", "went-back", "asked", "unwell"]
"""It stayed; the former image is back; a person must say; it is well on neither image."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ImageNews(_Kept):
    """Of one service. Times are Unix seconds; those of what was not found out are null."""

    target: str
    asked: bool = True
    """Whether a registry is asked at all: not for what is left out."""
    error: str = ""
    """Why it did not answer the last time."""
    checked: float | None = None
    """When it last answered."""
    created: float | None = None
    """When the image that runs was built."""
    digest: str = ""
    """Of the new image of its tag; empty where what runs is the newest."""
    crosses: bool = False
    """Whether that is another major version."""
    since: float | None = None
    """Since when a new image of its tag has been seen."""
    versions: int = 0
    majors: int = 0
    """Tags that are newer versions, of the same and of other major ones."""

    @property
    def waiting(self) -> Mapping[Kind, int]:
        """How many of each kind wait."""
        new = bool(self.digest)
        return {
            "image": int(new and not self.crosses),
            "version": self.versions,
            "major": self.majors + int(new and self.crosses),
        }


class News(_Kept):
    """at: when all services were last looked at."""

    version: int = 1
    at: float
    services: Sequence[ImageNews] = ()


class Result(_Kept):
    """image: with its digest. problem: why it did not stay."""

    image: str
    result: Outcome
    at: float
    problem: str = ""

    @property
    def digest(self) -> str:
        return self.image.partition("@")[2]


def after(before: News | None, found: Sequence[ImageNews], now: float) -> News:
    """The news with what is only known from the last time: since when something waits, and when one that is silent now
    did answer. Pure.
    """
    known = {each.target: each for each in before.services} if before is not None else {}
    services = []
    for each in found:
        last = known.get(each.target)
        if each.error and last is not None:
            services.append(last.model_copy(update={"error": each.error, "asked": True}))
            continue
        since = None
        if each.digest:
            since = last.since if last is not None and last.digest and last.since is not None else now
        services.append(each.model_copy(update={"since": since}))
    return News(at=now, services=services)


def standing(news: News | None, results: Mapping[str, Result]) -> tuple[list[ImageNews], dict[str, Result]]:
    """What waits now and which results still tell something. Pure.

    What was put in place since the look waits no more. An image that went back is told of for as long as it is the
    newest.
    """
    services = []
    for each in news.services if news is not None else ():
        last = results.get(each.target)
        if last is not None and last.result == "updated" and last.digest == each.digest:
            each = each.model_copy(update={"digest": "", "since": None, "crosses": False})
        services.append(each)
    by_target = {each.target: each for each in services}

    def tells(target: str, result: Result) -> bool:
        one = by_target.get(target)
        if result.result != "went-back" or news is None or one is None:
            return news is None or one is not None
        return news.at <= result.at or one.digest == result.digest or bool(one.error)

    return services, {target: result for target, result in results.items() if tells(target, result)}


def read_news(state_dir: Path) -> News | None:
    """None where nobody has looked yet. Blocks. Raises TaskError."""
    return documents.read(_news_path(state_dir), News.model_validate_json)


def write_news(state_dir: Path, news: News) -> None:
    """Blocks. Raises TaskError."""
    documents.write(_news_path(state_dir), news)


def read_results(state_dir: Path) -> dict[str, Result]:
    """Of the last update of each service, by ``project.service``. Blocks. Raises TaskError."""
    found = {}
    for path in sorted((state_dir / FOLDER).glob(f"*/*{_RESULT}")):
        result = documents.read(path, Result.model_validate_json)
        if result is not None:
            found[f"{path.parent.name}.{path.name.removesuffix(_RESULT)}"] = result
    return found


def read_result(state_dir: Path, project: str, service: str) -> Result | None:
    """Of the last update of a service. Blocks. Raises TaskError."""
    return documents.read(_result_path(state_dir, project, service), Result.model_validate_json)


def write_result(state_dir: Path, project: str, service: str, result: Result) -> None:
    """Both names are such that Compose allows. Blocks. Raises TaskError."""
    documents.write(_result_path(state_dir, project, service), result)


_RESULT = ".result.json"


def _news_path(state_dir: Path) -> Path:
    return state_dir / FOLDER / "news.json"


def _result_path(state_dir: Path, project: str, service: str) -> Path:
    return state_dir / FOLDER / project / f"{service}{_RESULT}"
