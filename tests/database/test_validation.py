"""Documents against the service's own JSON Schemas, with and without the extra."""

from __future__ import annotations

import sys

import pytest

from topchef_schema.database.models import Job, Service
from topchef_schema.database.validation import DocumentInvalidError, SchemaInvalidError, validate
from topchef_schema.errors import UsageError

RECIPE = {
    "type": "object",
    "required": ["degrees"],
    "properties": {
        "degrees": {"$ref": "#/$defs/temperature"},
        "steps": {"type": "array", "items": {"type": "string"}},
    },
    "$defs": {"temperature": {"type": "number", "maximum": 300}},
}


def test_what_fits_passes() -> None:
    oven = Service.new("oven", job_registration_schema=RECIPE, job_result_schema={"type": "null"})
    job = Job.new(oven, {"degrees": 200, "steps": ["bake"]}, validated=True)
    job.validate_parameters()
    job.validate_results()


def test_every_fault_is_told_with_its_place() -> None:
    oven = Service.new("oven", job_registration_schema=RECIPE)
    with pytest.raises(DocumentInvalidError) as caught:
        Job.new(oven, {"degrees": 500, "steps": ["bake", 3]}, validated=True)
    assert caught.value.problems == (
        "$.degrees: 500 is greater than the maximum of 300",
        "$.steps[1]: 3 is not of type 'string'",
    )
    assert str(caught.value).startswith("the parameters do not fit")
    assert oven.jobs == []


def test_results_have_a_schema_of_their_own() -> None:
    oven = Service.new("oven", job_result_schema={"type": "object", "required": ["cake"]})
    job = Job.new(oven, {})
    job.results = {}
    with pytest.raises(DocumentInvalidError, match=r"the results .* \$: 'cake' is a required"):
        job.validate_results()


def test_without_a_schema_every_object_passes_and_nothing_else() -> None:
    oven = Service.new("oven")
    oven.validate_parameters({"anything": [1]})
    with pytest.raises(DocumentInvalidError, match=r"\$: \[\] is not of type 'object'"):
        oven.validate_results([])


def test_the_schemas_own_dialect_is_followed() -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1}
    exclusive = {**schema, "exclusiveMinimum": True}
    validate(1, schema, what="it")
    with pytest.raises(DocumentInvalidError):
        validate(1, exclusive, what="it")


@pytest.mark.parametrize("schema", [{"type": "recipe"}, {"minimum": "low"}, 5, None, []])
def test_a_schema_that_is_none_is_not_the_documents_fault(schema: object) -> None:
    with pytest.raises(SchemaInvalidError, match="not a JSON Schema"):
        validate({}, schema, what="it")


@pytest.mark.parametrize(
    ("schema", "said"),
    [({"pattern": "("}, "is not a 'regex'"), ({"$ref": "#"}, "without end")],
)
def test_a_schema_that_cannot_be_followed_is_told(schema: object, said: str) -> None:
    with pytest.raises(SchemaInvalidError, match=said):
        validate("dish", schema, what="it")


@pytest.mark.parametrize("reference", ["http://192.0.2.1/schema.json", "#/$defs/nowhere"])
def test_a_schema_cannot_have_another_fetched(reference: str) -> None:
    with pytest.raises(SchemaInvalidError, match="refers to"):
        validate({}, {"$ref": reference}, what="it")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(UsageError) as caught:
        Service.new("oven").validate_parameters({})
    assert "topchef-schema[validation]" in caught.value.hint
