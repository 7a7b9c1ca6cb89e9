"""What the store asks of a database, whichever it is."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import sqlalchemy as sa

from remediator.store.turn import Turn

T = TypeVar("T")


class Backend(Protocol):
    """One database: how it is opened, how a transaction goes, and who waits for whom. Its methods block.

    Writers of one host wait for each other, so that what a transaction has read still holds when it commits; readers
    see one consistent view and wait for nobody. Every method raises NoRoom and sqlalchemy.exc.DBAPIError.
    """

    @property
    def one_machine(self) -> bool:
        """Whether no other machine can have rows in it."""
        ...

    @property
    def url(self) -> str:
        """For another library that is to use the same database from this process."""
        ...

    @property
    def turn(self) -> Turn | None:
        """What another library that writes to it from this process is to take for each transaction; None: nothing."""
        ...

    def open(self) -> bool:
        """Opens it unless it is open already. Returns whether it can be written to."""
        ...

    def require_room(self) -> None:
        """Raises NoRoom when it could be opened only to read."""
        ...

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of ``work`` in one transaction, on disk when this returns.

        ``work`` may be called again, after what it did was undone.
        """
        ...

    def touch(self, connection: sa.Connection) -> None:
        """Writes something, which changes nothing."""
        ...

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of ``work`` on one consistent view of the data."""
        ...

    def prepare_migration(self, connection: sa.Connection) -> None:
        """Lets nobody else migrate until the transaction ends."""
        ...

    def abort(self) -> None:
        """What is being asked of a database that does not answer fails at once."""
        ...

    def close(self) -> None: ...
