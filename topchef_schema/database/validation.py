"""Holding documents against JSON Schemas, with the extra that knows how.

Schemas come from whoever registers a service, so one is never allowed to have another fetched
from the network.
"""

from __future__ import annotations

from typing import Any

from topchef_schema.errors import UsageError
from topchef_schema.model.json_difference import path_of


class DocumentInvalidError(ValueError):
    """A document that is not what a service takes or gives.

    *problems* has one line per fault, each beginning with the path of the place in the document
    (``$.recipe[2]: 3 is not of type 'string'``), ordered by that place.
    """

    def __init__(self, what: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{what} do not fit the service's JSON Schema: {'; '.join(problems)}")
        self.problems = problems


class SchemaInvalidError(ValueError):
    """What a service gave as its JSON Schema is none, or needs a schema that is not in it."""


def validate(document: Any, schema: Any, *, what: str) -> None:
    """Raise `DocumentInvalidError` unless *document* is what *schema* says; *what* names it.

    Raises `SchemaInvalidError` when the schema itself is at fault, and `UsageError` when
    jsonschema is not installed.
    """
    try:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.validators import validator_for
        from referencing import Registry
        from referencing.exceptions import Unresolvable
    except ImportError as error:
        raise UsageError(
            f"validating {what} needs jsonschema, which is not installed",
            where="topchef_schema.database.validation",
            hint="pip install 'topchef-schema[validation]'",
        ) from error
    if not isinstance(schema, dict | bool):
        raise SchemaInvalidError(f"not a JSON Schema: {schema!r} is no object, true or false")
    validator = validator_for(schema, default=Draft202012Validator)
    try:
        validator.check_schema(schema)  # type: ignore[arg-type] # true and false are schemas
        faults = list(validator(schema, registry=Registry()).iter_errors(document))
    except SchemaError as error:
        raise SchemaInvalidError(f"not a JSON Schema: {error.message}") from error
    except Unresolvable as error:
        raise SchemaInvalidError(f"the JSON Schema refers to {error.ref!r}, elsewhere") from error
    except RecursionError:
        raise SchemaInvalidError("the JSON Schema refers to itself without end") from None
    problems = sorted(f"{path_of(fault.absolute_path)}: {fault.message}" for fault in faults)
    if problems:
        raise DocumentInvalidError(what, tuple(problems))
