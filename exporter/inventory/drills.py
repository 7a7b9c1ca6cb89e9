"""Disaster recovery drills: what is started on a restored set, and what proves that it can use its data."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.configfile.named_files import SecretFile
from exporter.configfile.quantities import Bytes, Duration
from exporter.configfile.section import AbsolutePath, Contradiction, Name, Regex, Section, repeated_names, shown


def _argument(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("an argument must not be empty or contain a NUL byte")
    return text


Command = list[Annotated[str, AfterValidator(_argument)]]


Application = Literal["n8n", "letta", "open-webui", "neo4j", "postgres"]


class DrillProof(Section):
    """A ready-made proof that an application can use its data. See docs/tasks/disaster-recovery-test.md."""

    application: Application = Field(description="whose proof it is; it runs with the tools of that image")
    query: str | None = Field(
        default=None, min_length=1, description="of postgres: a query whose answer is neither nothing, 0 nor false"
    )
    database: Annotated[str, AfterValidator(_argument)] | None = Field(
        default=None, description="of postgres and neo4j: the database; null: postgres, and neo4j"
    )
    user: Annotated[str, AfterValidator(_argument)] | None = Field(
        default=None, description="of postgres: who asks; null: postgres"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        application = given.get("application")
        if application == "postgres" and given.get("query") is None:
            yield Contradiction(("query",), "is missing: without one nothing is proven")
        for key, whose in (("query", ("postgres",)), ("user", ("postgres",)), ("database", ("postgres", "neo4j"))):
            if given.get(key) is not None and application not in whose:
                yield Contradiction((key,), f"has no effect for {shown(application)}; remove it")


def _application_alone(given: object) -> object:
    return {"application": given} if isinstance(given, str) else given


_ProofOrName = Annotated[
    DrillProof, BeforeValidator(_application_alone, json_schema_input_type=Application | DrillProof)
]


class DrillService(Section):
    """A container that is started on what was restored, and the command that shows that it can use it."""

    name: Name = Field(description="by which the other services of the drill reach it")
    image: str = Field(min_length=1, description="its image, which must be on the engine: nothing is pulled")
    command: Command = Field(default=[], description="arguments instead of the image's own")
    environment: dict[str, str] = Field(default={}, description="environment variables")
    env_file: SecretFile | None = Field(default=None, description="file of `NAME=value` lines for more, with secrets")
    volumes: dict[Name, AbsolutePath] = Field(
        default={}, description="volumes of the set, each with where it is in the container"
    )
    sqlite: dict[Name, AbsolutePath] = Field(
        default={},
        description="SQLite databases of the set, each with its file in the container, in a volume",
    )
    neo4j: Name | None = Field(
        default=None,
        description="Neo4j server of the set, whose databases are loaded into this one once it answers, and compared; "
        "the login is that of `NEO4J_AUTH`",
    )
    set_at: AbsolutePath | None = Field(
        default=None, description="where in the container the dumps and databases of the set are, each as in the set"
    )
    ready: Command = Field(default=[], description="command in the container that succeeds once it is ready")
    ready_within: Duration = Field(default=120.0, gt=0, description="time that it has for that")
    load: list[Command] = Field(
        default=[], description="commands in the container, once it is ready, that load what is in set_at"
    )
    load_within: Duration = Field(default=3600.0, gt=0, description="time that each of them has")
    prove: Command = Field(
        default=[], description="command in the container that succeeds only if the service can use its data"
    )
    prove_within: Duration = Field(default=120.0, gt=0, description="time that the command has")
    expect: Regex | None = Field(default=None, description="what its output must contain")
    proof: _ProofOrName | None = Field(
        default=None, description="instead of prove and expect a ready-made one: a name, or a section for more"
    )
    uses: list[Name] = Field(
        default=[], description="services before it that it needs, which with one_by_one run on until it has proven"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("expect") is not None and not given.get("prove"):
            yield Contradiction(("expect",), "is about the output of prove, which is missing")
        if given.get("proof") is not None and given.get("prove"):
            yield Contradiction(("prove",), "and proof are mutually exclusive; remove one of them")
        if given.get("load") and given.get("set_at") is None:
            yield Contradiction(("load",), "has nothing to load: say in set_at where the set is to be")
        volumes, databases = given.get("volumes"), given.get("sqlite")
        places = volumes.values() if isinstance(volumes, dict) else ()
        for name, path in databases.items() if isinstance(databases, dict) else ():
            if isinstance(path, str) and not any(_is_in(path, place) for place in places):
                yield Contradiction(("sqlite", name), f"{shown(path)} must be a file in one of the volumes")


class Drill(Section):
    """A rehearsal of the worst day: the set is restored into a sandbox, and its services must be able to use it."""

    services: list[DrillService] = Field(min_length=1, description="in the order in which they start")
    memory: Bytes = Field(default=Bytes(1024**3), ge=6 * 1024**2, description="memory of each of them at most")
    cpus: float = Field(default=1.0, gt=0, description="processors of each of them at most")
    within: Duration = Field(default=3600.0, gt=0, description="time after which the drill is ended and has failed")
    one_by_one: bool = Field(
        default=False,
        description="each is ended once it has proven, and nothing that comes later uses it: for a small machine",
    )
    spare: Bytes = Field(
        default=Bytes(5 * 1024**3), description="space that stays free where Docker keeps its data, else it is ended"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        services = given.get("services")
        yield from repeated_names("services", services)
        known = [each for each in services if isinstance(each, dict)] if isinstance(services, list) else []
        for index, each in enumerate(known):
            before = [other.get("name") for other in known[:index]]
            uses = each.get("uses")
            for at, name in enumerate(uses if isinstance(uses, list) else []):
                if name not in before:
                    yield Contradiction(("services", index, "uses", at), f"{shown(name)} is no service before it")
        if known and not any(each.get(key) for each in known for key in ("prove", "proof", "neo4j")):
            yield Contradiction(("services",), "prove nothing: that a container starts says nothing of its data")


def _is_in(path: str, place: object) -> bool:
    return isinstance(place, str) and PurePosixPath(path).is_relative_to(place) and path != place
