"""The cost of the statements does not grow with the number of rows. Checks their plans on 100,000 rows per table.

Every node of a plan says how many rows it handled. No statement may handle more than a few times the requested rows,
however large the tables are. This excludes scans of a table, sorts of all rows, and skipping rows one by one. If the
contract requires more, the case says what is read. Plans are made once for all values, as in the service, so they must
be good for a project, model or environment with many rows as well as for those with few.
"""

from __future__ import annotations

import pytest
from tests.integration.query_plans.access_cases import CASES as ACCESS_CASES
from tests.integration.query_plans.artifact_cases import CASES as ARTIFACT_CASES
from tests.integration.query_plans.deployment_cases import CASES as DEPLOYMENT_CASES
from tests.integration.query_plans.event_cases import CASES as EVENT_CASES
from tests.integration.query_plans.explained import Plan
from tests.integration.query_plans.filter_cases import CASES as FILTER_CASES
from tests.integration.query_plans.loaded import Case, Loaded
from tests.integration.query_plans.registry_cases import CASES as REGISTRY_CASES
from tests.integration.query_plans.registry_cases import delete_with_many_versions
from tests.integration.query_plans.serving_cases import CASES as SERVING_CASES
from tests.integration.query_plans.transfer_cases import CASES as TRANSFER_CASES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("plans")]

CASES = (
    ACCESS_CASES
    | ARTIFACT_CASES
    | REGISTRY_CASES
    | SERVING_CASES
    | DEPLOYMENT_CASES
    | FILTER_CASES
    | EVENT_CASES
    | TRANSFER_CASES
)


def check(plans: list[Plan], case: Case) -> None:
    assert plans
    walked = False
    for plan in plans:
        for node in plan.nodes:
            is_walk = node.rows > case.rows
            assert not is_walk or node.rows <= case.walks.get(node.name, 0), (node, plan)
            walked = walked or is_walk
    assert walked == bool(case.walks), "a case that reads no more than others needs no exception"


@pytest.mark.parametrize("name", CASES)
async def test_rows_are_read_for_the_page_only(loaded: Loaded, name: str) -> None:
    check(await loaded.plans_of(CASES[name]), CASES[name])


async def test_plans_made_for_much_are_good_for_little(full_databases: dict[str, str]) -> None:
    """Statements of triggers are planned with the values of the first call in a session."""
    for url in full_databases.values():
        loaded = Loaded.at(url)
        await loaded.plans_of(Case(delete_with_many_versions))
        case = REGISTRY_CASES["delete a model with versions"]
        check(await loaded.plans_of(case), case)
        await loaded.database.close()
