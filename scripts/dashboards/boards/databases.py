"""Servers of PostgreSQL and Neo4j."""

from scripts.dashboards.board import Board, Row, exporter
from scripts.dashboards.boards import neo4j, postgres
from scripts.dashboards.looks import ANY_IS_BAD, Json
from scripts.dashboards.panels import stat
from scripts.dashboards.scope import Variable


def board() -> Board:
    """Of the servers that one exporter watches. Each kind has its own variables, so that one leaves the other alone."""
    rows = (Row("Now", _now()), *postgres.rows(), *neo4j.rows())
    variables = (
        exporter(),
        _choice("postgres_server", "PostgreSQL server", "upkeeper_postgres_up", "server"),
        _choice("postgres_database", "its database", "upkeeper_postgres_database_size_bytes", "datname"),
        _choice("neo4j_server", "Neo4j server", "upkeeper_neo4j_up", "server"),
        _choice("neo4j_database", "its database", "upkeeper_neo4j_database_online", "database"),
    )
    return Board("upkeeper-databases", "Upkeeper databases", "PostgreSQL and Neo4j.", rows, variables)


def _choice(name: str, title: str, metric: str, label: str) -> Variable:
    kind = name.partition("_")[0]
    return Variable(name, title, metric, label, of=f"upkeeper_{kind}_")


def _now() -> list[Json]:
    def count(title: str, condition: str, about: str = "") -> Json:
        return stat(title, f"count({condition}) or vector(0)", about=about, steps=ANY_IS_BAD)

    state = "upkeeper_neo4j_index_state"
    return [
        count("PostgreSQL down", "upkeeper_postgres_up == 0"),
        count(
            "Transactions too old",
            f"{postgres.OPEN} > {postgres.OF_SERVER} upkeeper_postgres_transaction_max_age_seconds",
            "Databases of PostgreSQL in which a transaction is open for longer than transaction_max_age.",
        ),
        count("Invalid indexes", "upkeeper_postgres_index_invalid == 1", "Of PostgreSQL: building them failed."),
        count("Neo4j down", "upkeeper_neo4j_up == 0"),
        count(
            "Databases offline",
            "upkeeper_neo4j_database_online == 0 and upkeeper_neo4j_database_requested_online == 1",
            "Databases of Neo4j that should be online.",
        ),
        count("Failed indexes", f'{state}{{{state}="failed"}} == 1', "Of Neo4j: no query uses them."),
    ]
