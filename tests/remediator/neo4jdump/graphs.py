"""Graphs of tests, and what is in a database, in a form in which two can be compared."""

from typing import Any

from tests.neo4j_server.server import Neo4jServer

VALUES = (
    "true", "0", "-9223372036854775808", "9223372036854775807", "1.0", "-0.0", "1e308", "0.0/0.0", "1.0/0.0",
    "''", "'a\\nb\\u2028\\u0000 \\U0001F600 \"'", "[]", "[1, 2]", "[1.5, 2]", "['a', '']", "[true, false]",
    "date('2024-02-29')", "date('-0044-03-15')", "date('+12345-01-02')", "[date('2024-02-29'), date('0001-01-01')]",
    "localtime('12:34:56.123456789')", "time('12:34:56.1+01:00')", "time('12:00Z')", "time('12:00:00-03:30')",
    "localdatetime('2024-03-31T02:30:00.000000001')", "datetime('2024-01-01T00:00:00Z')",
    "datetime('2024-01-01T00:00:00Z[UTC]')", "datetime('2024-10-27T02:30:00+01:00[Europe/Berlin]')",
    "datetime('2024-10-27T02:30:00+02:00[Europe/Berlin]')", "datetime({epochSeconds: 1700000000, timezone: '-18:00'})",
    "[datetime('2024-01-01T00:00:00Z'), datetime('2024-06-01T00:00:00[America/New_York]')]",
    "[localtime('12:34')]", "[time('12:34Z')]", "[localdatetime('2024-01-01T00:00')]",
    "duration('P14M3DT-5.000000001S')", "[duration('PT1S'), duration('P1Y')]",
    "point({x: 1, y: -2.5})", "point({x: 1, y: 2, z: 3})", "point({longitude: 13.4, latitude: 52.5})",
    "point({longitude: 13.4, latitude: 52.5, height: 34})", "[point({x: 1, y: 2}), point({x: 3, y: 4})]",
)  # fmt: skip
"""One of each type that a property can have, and the odd ones, as Cypher; bytes are no literal of it."""

SCHEMA = (
    "CREATE CONSTRAINT person_id FOR (n:Person) REQUIRE n.id IS UNIQUE",
    "CREATE INDEX `odd ``name``` FOR (n:`Odd ``label``; DROP`) ON (n.`a b`, n.`c``d`)",
    "CREATE TEXT INDEX texts FOR ()-[r:KNOWS]-() ON (r.how)",
    "CREATE FULLTEXT INDEX words FOR (n:Person|Place) ON EACH [n.name, n.text] OPTIONS "
    "{indexConfig: {`fulltext.analyzer`: 'english'}}",
    "CREATE POINT INDEX points FOR (n:Place) ON (n.at)",
    "CREATE VECTOR INDEX vectors FOR (n:Person) ON (n.embedding) OPTIONS {indexConfig: {`vector.dimensions`: 4, "
    "`vector.similarity_function`: 'cosine'}}",
)


def fill(server: Neo4jServer) -> None:
    """Every type of value on nodes and relationships, odd names, loops, parallels, gaps, and every kind of index."""
    for statement in SCHEMA:
        server.run(statement)
    gone = server.run("UNWIND range(1, 50) AS i CREATE (n:Gone {id: i}) RETURN elementId(n) AS id")
    assert len(gone) == 50
    pairs = (
        f"(:Value {{id: 'v{index}', v: {value}}})-[:HAS {{v: {value}}}]->({{id: 'w{index}'}})"
        for index, value in enumerate(VALUES)
    )
    server.run(f"CREATE {', '.join(pairs)}")
    server.run("CREATE (n:Value {id: 'bytes', v: $v, none: $n})", v=bytes(range(256)), n=b"")
    server.run(
        "UNWIND range(1, 300) AS i CREATE (n:Person {id: 'p' + i, name: 'Name ' + i, embedding: [i, 1.0, 0.0, 0.5]})"
    )
    server.run("MATCH (n:Person) WHERE n.id ENDS WITH '7' SET n:Place, n.at = point({x: 1, y: 2})")
    server.run("MATCH (n:Gone) DELETE n")
    server.run(
        "MATCH (a:Person) WITH a, toInteger(substring(a.id, 1)) AS i MATCH (b:Person {id: 'p' + ((i * 7) % 299 + 1)}) "
        "CREATE (a)-[:KNOWS {how: 'well', since: date('2020-01-01')}]->(b), (a)-[:KNOWS]->(b), "
        "(b)-[:`odd ``type```]->(b)"
    )
    server.run("CREATE (n:`Odd ``label``; DROP`:Zwei {id: 'odd', `a b`: 1, `c``d`: 2, `p``: injected`: 3})")


def content(server: Neo4jServer) -> dict[str, list[Any]]:
    """All of it, sorted, nodes named by their property ``id``; values with their type, as the server writes them."""
    told = (
        "[k IN keys({0}) | k + ' ' + valueType({0}[k]) + ' ' + CASE WHEN valueType({0}[k]) STARTS WITH 'LIST' "
        "THEN reduce(s = '', x IN {0}[k] | s + '|' + coalesce(toStringOrNull(x), 'point')) "
        "ELSE coalesce(toStringOrNull({0}[k]), 'bytes') END]"
    )
    nodes = server.run(f"MATCH (n) RETURN n.id AS id, labels(n) AS labels, {told.format('n')} AS p")
    relationships = server.run(
        f"MATCH (a)-[r]->(b) RETURN a.id + '-' + type(r) + '-' + b.id AS id, {told.format('r')} AS p"
    )
    indexes = server.run("SHOW INDEXES YIELD name, type, state, createStatement WHERE type <> 'LOOKUP' RETURN *")
    lookups = server.run("SHOW INDEXES YIELD type, entityType, labelsOrTypes, state WHERE type = 'LOOKUP' RETURN *")
    constraints = server.run("SHOW CONSTRAINTS YIELD name, createStatement")
    raw = server.run("MATCH (n) WHERE valueType(n.v) CONTAINS 'POINT' OR n.id = 'bytes' RETURN n.id, n.v, n.none")
    return {
        "nodes": sorted((row["id"], sorted(row["labels"]), sorted(row["p"])) for row in nodes),
        "relationships": sorted((row["id"], sorted(row["p"])) for row in relationships),
        "raw": sorted(map(repr, raw)),
        "schema": sorted(map(repr, [*indexes, *lookups, *constraints])),
    }
