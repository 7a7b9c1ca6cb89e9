"""Variables that a Compose file uses and nothing sets."""

from collections.abc import Iterator

from exporter.findings.finding import Finding, Kind
from exporter.findings.inputs import Material


class UnsetVariables:
    """Compose puts nothing in the place of such a variable, or refuses the file where it is required.

    What is only set in the shell of whoever starts Compose counts as unset: the next person's shell may not have it.
    """

    name = "unset-variables"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, material: Material) -> Iterator[Finding]:
        for project in material.projects:
            seen: set[tuple[str, str, int | None]] = set()
            for variable in project.uses:
                use, place = variable.use, variable.place
                key = (use.name, place.file, place.line)
                if use.satisfied or use.kind not in ("plain", "required") or key in seen:
                    continue
                seen.add(key)
                required = use.kind == "required"
                yield Finding(
                    self.name,
                    "critical" if required else "warning",
                    use.name,
                    place.printable(),
                    f"{use.name} is required and not set, so that Compose refuses the file"
                    if required
                    else f"{use.name} is not set, so that nothing stands in its place",
                    f"set {use.name} in the .env file"
                    + ("" if required else f", or write ${{{use.name}:-}} if it may be empty"),
                )
