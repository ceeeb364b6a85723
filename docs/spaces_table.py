"""Write the table of all built-in spaces into the user guide: ``python docs/spaces_table.py``."""

import inspect
import warnings
from pathlib import Path
from typing import Any

from sklearn.utils import all_estimators

from sklearn_lepton.default_spaces._data_profile import Data
from sklearn_lepton.default_spaces._lookup import _TABLE
from sklearn_lepton.space import Categorical, Integer, Space

PAGE = Path(__file__).parent / "user_guide" / "spaces.md"
START, END = "<!-- table: docs/spaces_table.py -->\n", "<!-- end of table -->\n"
_LIBRARIES = {
    "sklearn": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "xgboost": "XGBoost",
    "lightgbm": "LightGBM",
    "catboost": "CatBoost",
    "skorch": "skorch",
    "scikeras": "SciKeras",
}


def _defaults(kind: Any) -> dict[str, Any]:
    if kind is None:
        return {}
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _spaces() -> dict[str, Space]:
    """Return the space of each class in the tables, for middling data."""
    kinds = dict(all_estimators())
    spaces = {}
    for name, entry in _TABLE.items():
        defaults = _defaults(kinds.get(name.partition(".")[2]) if "sklearn" in name else None)
        seen = Data(params=defaults, defaults=defaults)
        try:
            spaces[name] = Space(entry(seen) if callable(entry) else entry)
        except KeyError:  # a class that this version of scikit-learn lacks
            continue
    return spaces


def _values(dimension: Any) -> str:
    if isinstance(dimension, Categorical):
        values = dimension.categories
        if dimension.ordered and len(values) > 8:
            values = [*values[:3], "…", *values[-2:]]
        shown = ", ".join("…" if value == "…" else repr(value) for value in values)
        return shown + (" (in this order)" if dimension.ordered and len(values) > 1 else "")
    kind = "integer" if isinstance(dimension, Integer) else "real"
    return f"{dimension.low:g} to {dimension.high:g}, {kind}{', log' * dimension.log}"


def _row(name: str, space: Space) -> str:
    branches = [
        {param: _values(space.dimensions[column]) for param, column in branch.items()}
        for branch in space.branches
    ]
    shared = {
        param: values
        for param, values in branches[0].items()
        if all(branch.get(param) == values for branch in branches)
    }
    cells = [f"`{param}`: {values}" for param, values in shared.items()]
    for branch in branches if len(branches) > 1 else []:
        own = [f"`{p}`: {values}" for p, values in branch.items() if p not in shared]
        cells.append("*either* " + "; ".join(own or ["nothing more"]))
    return f"| `{name}` | {'<br>'.join(cells)} |\n"


def table() -> str:
    """Return the tables as text."""
    spaces = _spaces()
    parts = []
    for module, library in _LIBRARIES.items():
        own = {n.partition(".")[2]: s for n, s in spaces.items() if n.startswith(f"{module}.")}
        rows = [_row(name, own[name]) for name in sorted(own) if own[name].names]
        parts.append(f"\n### {library}\n\n| estimator | searched |\n|---|---|\n{''.join(rows)}")
    nothing = sorted(n.partition(".")[2] for n, s in spaces.items() if not s.names)
    known = ", ".join(f"`{name}`" for name in nothing)
    parts.append(f"\nKnown, with nothing that is worth tuning: {known}.\n\n")
    return "".join(parts)


def page() -> str:
    """Return the page with the tables as they are now."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    return f"{before}{START}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        PAGE.write_text(page(), encoding="utf-8")
