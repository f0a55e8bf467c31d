"""Add and remove rows of a posted formset, so that it works without JavaScript."""

from __future__ import annotations

import re

from django.http import QueryDict

PREFIX = "servers"
_TOTAL = f"{PREFIX}-TOTAL_FORMS"
_ROW = re.compile(rf"{PREFIX}-([0-9]{{1,4}})-(\w+)")


def wants_rows(data: QueryDict) -> bool:
    """Whether a button for rows was pressed, not one that saves."""
    return "add_server" in data or "remove_server" in data


def changed_rows(data: QueryDict) -> QueryDict:
    """Return what was typed with one row more or less; everything else is kept."""
    data = data.copy()
    total = _number(data.get(_TOTAL))
    if "add_server" in data:
        data[f"{PREFIX}-{total}-weight"] = "1"
        data[_TOTAL] = str(total + 1)
    elif "remove_server" in data:
        # Nonsense names the row after the last one, which is not there.
        _remove(data, _number(data.get("remove_server"), total), total)
    return data


def _remove(data: QueryDict, gone: int, total: int) -> None:
    if gone >= total:
        return
    typed = {key: str(data[key]) for key in list(data) if _ROW.fullmatch(key)}
    for key in typed:
        del data[key]
    for key, value in typed.items():
        found = _ROW.fullmatch(key)
        row = int(found[1]) if found else gone
        if row != gone and found:
            data[f"{PREFIX}-{row - (row > gone)}-{found[2]}"] = value
    data[_TOTAL] = str(total - 1)


def _number(typed: object, nonsense: int = 0) -> int:
    return int(str(typed)) if re.fullmatch("[0-9]{1,4}", str(typed)) else nonsense
