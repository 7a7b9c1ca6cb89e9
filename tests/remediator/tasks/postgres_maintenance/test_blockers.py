"""What keeps dead rows: prepared transactions, and what a standby reads, through its slot. And standbys as targets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from remediator.model.task import TaskError
from tests.postgres_server import PostgresServer
from tests.remediator.tasks.postgres_maintenance.test_task import DATABASE, NAME, Maintained, lay, seen

pytestmark = pytest.mark.servers


async def test_prepared_transactions_and_slots_are_named(
    postgres_factory: Callable[..., PostgresServer], tmp_path: Path
) -> None:
    server = postgres_factory(15, max_prepared_transactions="3")
    server.sql(f"CREATE DATABASE {DATABASE}", "SELECT pg_create_physical_replication_slot('for_standby', true)")
    maintained = Maintained(server, tmp_path / "password")
    server.sql("CREATE TABLE other (i int)", dbname=DATABASE)
    server.sql("BEGIN", "INSERT INTO other VALUES (1)", "PREPARE TRANSACTION 'forgotten'", dbname=DATABASE)
    lay(server)
    action = await seen(maintained, "public.t", "vacuum")
    with pytest.raises(TaskError, match=r"2000 dead rows stay, which the prepared transaction forgotten \(user"):
        await maintained.apply(action)
    server.sql("BEGIN", "LOCK TABLE t IN SHARE MODE", "PREPARE TRANSACTION 'locks'", dbname=DATABASE)
    with pytest.raises(TaskError, match=r"public.t is locked by a prepared transaction"):
        await maintained.apply(action)
    server.sql("ROLLBACK PREPARED 'locks'", dbname=DATABASE)
    server.sql("ROLLBACK PREPARED 'forgotten'", dbname=DATABASE)
    standby = PostgresServer(
        server.directory / "standby", 15,
        {"primary_slot_name": "for_standby", "hot_standby_feedback": "on", "wal_receiver_status_interval": "1s",
         "max_prepared_transactions": "3"},
    )  # fmt: skip
    try:
        standby.clone_of(server)
        standby.start()
        of_standby = Maintained(standby, tmp_path / "password")
        plan = await of_standby.plan()
        assert (plan.actions, plan.notes) == (
            (), ["The server is a standby: what is done on its primary reaches it by itself."],
        )  # fmt: skip
        assert not (await of_standby.task.measure(NAME)).breached
        plan = await maintained.plan()
    finally:
        standby.close()
    server.sql("DELETE FROM t", dbname=DATABASE)
    (note,) = [note for note in (await maintained.plan()).notes if "slot" in note]
    assert note == (
        f"{DATABASE}: the replication slot for_standby (inactive) keeps rows that died since from being removed."
    )
    server.sql(server.flush, dbname=DATABASE)
    state, detail = await maintained.apply(action)
    assert state == "partial", detail
    assert "2000 dead rows stay, which the replication slot for_standby (inactive) may still see" in detail
