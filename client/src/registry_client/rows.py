"""Lists of objects that were read, which can be shown and turned into a table of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from registry_client import display
from registry_client.records import Record

if TYPE_CHECKING:
    import pandas as pd

_R = TypeVar("_R", bound=Record[Any])
# Fields whose keys are columns of a table.
_SPREAD: Final = {"labels", "properties"}


class Rows(list[_R]):
    """A list of objects."""

    def to_pandas(self) -> pd.DataFrame:
        """One row for each object, one column for each field. Each label and property has a column of its own, which is
        called as in filters: `properties.accuracy`. Raises ImportError without pandas.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - optional
        except ImportError:
            raise ImportError(
                "to_pandas() needs pandas, which is not installed: pip install 'registry-grpc-client[pandas]'"
            ) from None
        rows = [each.to_dict() for each in self]
        columns = [column for name in (self[0].field_names() if self else ()) for column in _columns(name, rows)]
        return pd.DataFrame([_flat(row) for row in rows], columns=columns or None)

    def _repr_html_(self) -> str:
        return shown(self)


def _columns(name: str, rows: list[dict[str, Any]]) -> list[str]:
    if name not in _SPREAD:
        return [name]
    return [f"{name}.{key}" for key in sorted({key for row in rows for key in row[name]})]


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    spread = {f"{name}.{key}": value for name in _SPREAD & row.keys() for key, value in row[name].items()}
    return {**row, **spread}


def shown(rows: list[_R], note: str = "") -> str:
    """As HTML."""
    if not rows:
        return "<p>There are none.</p>"
    columns = rows[0].shown
    return display.table(columns, ([getattr(each, name) for name in columns] for each in rows), note)
