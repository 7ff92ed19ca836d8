"""What every model shares: an identity, checked attributes, and a way to plain data and back."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ColumnProperty, DeclarativeBase, InstanceState, Mapper

from topchef_schema.database.documents.resource import Resource
from topchef_schema.database.models.column_values import accepted, from_plain, to_plain
from topchef_schema.database.schemas.database_schema import SCHEMA
from topchef_schema.database.uuid_database_type import read_uuid

if TYPE_CHECKING:
    from topchef_schema.database.documents import Disagreement, DocumentSession, Right


class AbstractDatabaseModel(DeclarativeBase):
    """The declarative base of TopChef's models, mapped onto the tables of `SCHEMA`.

    Two objects are equal when they are of one class and have the same UUID, in whatever session
    and whatever else they hold. An object has its UUID from the moment it is made, so it can
    stand in sets and as a key before it is ever stored.

    Setting an attribute to what its column cannot hold is a `ValueError` there and then.
    """

    metadata = SCHEMA.metadata
    """What every table of the models belongs to."""

    documents: ClassVar[tuple[str, ...]] = ()
    """The attributes that are in the document beside the row; none where it has no document."""

    _shown: ClassVar[tuple[str, ...]] = ()
    """The attributes that tell a person which object this is."""

    def __init__(self, **values: Any) -> None:
        """Set the columns and relationships named in *values*; a missing UUID is made.

        Raises `TypeError` for a name that the model does not have.
        """
        self._refuse_unknown(values, self._mapper().attrs.keys(), TypeError)
        values.setdefault(self._key_name(), uuid.uuid4())
        for name, value in values.items():
            setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AbstractDatabaseModel):
            return NotImplemented
        return type(self) is type(other) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((type(self), self._identity()))

    def __repr__(self) -> str:
        """Tell class, UUID and what is shown of it, without asking the database for anything."""
        loaded = self._state().dict
        shown = [f"{name}={loaded[name]!r}" for name in self._shown if name in loaded]
        return f"<{' '.join([type(self).__name__, str(self._identity()), *shown])}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the columns as plain data that ``json.dumps`` takes.

        UUIDs are text with hyphens, times are ISO 8601 with their offset from UTC, a status is
        its name. A column that was neither set nor stored yet is left out.
        """
        state = self._state()
        return {
            name: to_plain(getattr(self, name))
            for name in self._mapper().columns.keys()  # noqa: SIM118 - iterating gives columns
            if name in state.dict or state.has_identity
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a new object of what `to_dict` gave; what is missing gets the column's default.

        Raises `ValueError` for a name that is no column, and for a value that is none of its.
        """
        columns = cls._mapper().columns
        cls._refuse_unknown(data, columns.keys(), ValueError)
        return cls(**{name: from_plain(columns[name], value) for name, value in data.items()})

    @classmethod
    def load(cls, session: DocumentSession, key: Any) -> Self | None:
        """Return the object with the UUID *key*, whose document agrees with its row.

        None where there is neither a row nor a document. Raises `DocumentDisagreementError` that
        names the resource, the store and the place in the document.
        """
        found = session.get(cls, read_uuid(key))
        if found is None or not session.has_saved(found):
            session.require_documents(cls.resource(), read_uuid(key))
        return found

    @classmethod
    def repair_documents(
        cls, session: DocumentSession, key: Any, *, right: Right | str
    ) -> tuple[Disagreement, ...]:
        """Make the row of *key* and its document agree, and return what disagreed.

        *right* says which side stays as it is: ``"row"`` or ``"document"``. This is the only way
        in which anything is repaired, and it commits. Raises `ValueError` where that side cannot
        say what the other should be, and in a session with changes of its own.
        """
        from topchef_schema.database.documents.repair import repair

        return repair(session, cls.resource(), read_uuid(key), right)

    @classmethod
    def resource(cls) -> Resource:
        """Return what the rows and their documents have to do with each other.

        Raises `TypeError` for a model whose rows have no documents.
        """
        if not cls.documents:
            raise TypeError(f"a {cls.__name__} has no documents")
        columns, table = cls._mapper().columns, cls._mapper().local_table
        parts = {name: columns[name] for name in cls.documents}
        return Resource(str(table.description), columns[cls._key_name()], parts)

    @classmethod
    def _mapper(cls) -> Mapper[Self]:
        return sa.inspect(cls)

    @classmethod
    def _key_name(cls) -> str:
        """Return the name of the attribute that holds the UUID."""
        (column,) = cls._mapper().primary_key
        return str(column.key)

    @classmethod
    def _refuse_unknown(
        cls, names: Collection[str], known: Collection[str], error: type[Exception]
    ) -> None:
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise error(f"a {cls.__name__} has no {name!r}{hint}")

    def _state(self) -> InstanceState[Self]:
        return sa.inspect(self)

    def _identity(self) -> uuid.UUID:
        """Return the UUID, without a query even where the object has expired."""
        stored = self._state().identity
        identity: uuid.UUID = stored[0] if stored else getattr(self, self._key_name())
        return identity


@event.listens_for(AbstractDatabaseModel, "attribute_instrument", propagate=True)
def _check_when_set(model: Any, name: str, attribute: Any) -> None:
    """Let each column say what may be set, as SQLAlchemy's own documentation proposes it."""
    if isinstance(attribute.property, ColumnProperty):
        (column,) = attribute.property.columns

        @event.listens_for(attribute, "set", retval=True)
        def check(instance: Any, value: Any, old: Any, initiator: Any) -> Any:
            return accepted(column, value)
