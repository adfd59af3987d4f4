"""Pages and orders (contract 0.9, 0.10; quirks Q4, Q5)."""

from __future__ import annotations

from types import ModuleType

import pytest

from registry_grpc.domain import inference_service, model_version, registered_model, serve_model, serving_environment
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.paging import Page, Slice, Sort, effective_limit

GREATEST = 2**63 - 1


@pytest.mark.parametrize(
    ("limit", "rows"),
    [(20, 20), (1, 1), (2, 2), (99, 99), (100, 100), (101, 100), (1000, 100), (0, 20), (-1, 20), (-(2**63), 20),
     (GREATEST, 100)],
)  # fmt: skip
def test_limits_have_a_default_and_a_maximum(limit: int, rows: int) -> None:
    assert effective_limit(limit) == rows
    assert Slice.at_offset(limit, 0) == Slice(limit=rows)


@pytest.mark.parametrize(("offset", "used"), [(0, 0), (7, 7), (GREATEST, GREATEST), (-1, 0), (-(2**63), 0)])
def test_negative_offsets_mean_the_beginning(offset: int, used: int) -> None:
    assert Slice.at_offset(5, offset) == Slice(limit=5, offset=used)


def test_a_slice_is_the_first_twenty_by_offset() -> None:
    assert Slice() == Slice(limit=20, offset=0, by_cursor=False, after=None)


def test_a_page_knows_neither_total_nor_next_by_itself() -> None:
    assert Page(("item",)) == Page(items=("item",), total=None, next=None)


@pytest.mark.parametrize(
    ("sort_by", "order", "sort"),
    [
        ("", "", Sort("created_at", descending=True)),
        ("", "asc", Sort("created_at", descending=True)),
        ("name", "", Sort("name", descending=True)),
        ("name", "asc", Sort("name", descending=False)),
        ("name", "desc", Sort("name", descending=True)),
        ("name", "ASC", Sort("name", descending=True)),
        ("name", " asc", Sort("name", descending=True)),
        ("name", "ascending", Sort("name", descending=True)),
        ("NAME", "asc", Sort("name", descending=False)),
        ("Created_At", "asc", Sort("created_at", descending=False)),
    ],
)
def test_reads_sort_by_and_order(sort_by: str, order: str, sort: Sort) -> None:
    assert Sort.parse(sort_by, order, ("created_at", "name")) == sort


@pytest.mark.parametrize(
    "sort_by", ["version_count", "access_key", "secret_key", "name ", "name, id", "name; DROP TABLE x", "\u0131d", "*"]
)
@pytest.mark.parametrize("order", ["", "asc"])
def test_refuses_every_other_field(sort_by: str, order: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Sort.parse(sort_by, order, registered_model.SORT_FIELDS)

    assert refusal.value.message == "invalid sort_by"
    assert [violation.field for violation in refusal.value.violations] == ["sort_by"]


@pytest.mark.parametrize(
    ("module", "fields"),
    [
        (
            registered_model,
            """id created_at updated_at project_id owner_id owner_email name slug description model_type model_size
            state deployment_status parent_model_id""",
        ),
        (
            model_version,
            """id created_at updated_at registered_model_id name description is_default state status created_by_email
            updated_by_email artifact_type model_framework model_framework_version container_image model_catalog_name
            uri""",
        ),
        (serving_environment, "id created_at updated_at name description external_id"),
        (
            inference_service,
            """id created_at updated_at name external_id serving_environment_id registered_model_id desired_state
            current_state runtime url""",
        ),
        (serve_model, "id created_at updated_at inference_service_id model_version_id last_known_state"),
    ],
)
def test_sort_fields_are_those_of_the_contract(module: ModuleType, fields: str) -> None:
    assert list(module.SORT_FIELDS) == fields.split()
