"""What whoever needs TopChef's tables may rely on, however and wherever they are made.

The tables are read-only properties: no assignment can replace one by accident, and a table that
an implementation forgets is an error when the schema is made, not when the table is first used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from sqlalchemy import MetaData, Table


class AbstractDatabaseSchema(ABC):
    """One property per table, and the metadata that holds them all."""

    @property
    @abstractmethod
    def metadata(self) -> MetaData:
        """The collection that knows every table, constraint and index of this schema."""

    @property
    @abstractmethod
    def services(self) -> Table:
        """The services that offer to do jobs, and when each was last heard of."""

    @property
    @abstractmethod
    def jobs(self) -> Table:
        """The jobs given to services, what was asked, and what came out."""

    @property
    @abstractmethod
    def job_sets(self) -> Table:
        """The sets that group jobs which belong together, of whatever services."""
