"""Lists of objects that were read, which can be shown and turned into a table of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from registry_client import display
from registry_client.records import Record

if TYPE_CHECKING:
    import pandas as pd

_R = TypeVar("_R", bound=Record[Any])


class Rows(list[_R]):
    """A list of objects."""

    def to_pandas(self) -> pd.DataFrame:
        """One row for each object, one column for each field. Raises ImportError without pandas."""
        try:
            import pandas as pd  # noqa: PLC0415 - optional
        except ImportError:
            raise ImportError(
                "to_pandas() needs pandas, which is not installed: pip install 'registry-grpc-client[pandas]'"
            ) from None
        return pd.DataFrame([each.to_dict() for each in self], columns=self[0].field_names() if self else None)

    def _repr_html_(self) -> str:
        return shown(self)


def shown(rows: list[_R], note: str = "") -> str:
    """As HTML."""
    if not rows:
        return "<p>There are none.</p>"
    columns = rows[0].shown
    return display.table(columns, ([getattr(each, name) for name in columns] for each in rows), note)
