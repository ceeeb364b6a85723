"""Examples of documents and docstrings: all of them are run."""

import doctest
import importlib
import pkgutil
import re
import runpy
import time
import warnings
from pathlib import Path

import cases
import pytest
import sklearn

import sklearn_lepton

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(sklearn_lepton.__path__, "sklearn_lepton.")
)
FRAMEWORKS = {"imblearn", "keras", "polars", "scikeras", "skorch", "torch"}
PEERS = {"optuna", "sklearn_genetic", "skopt"}
EXTRAS = {"catboost", "distributed", "lightgbm", "mlflow", "ray", "xgboost"} | FRAMEWORKS | PEERS
IMPORT = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _name(path):
    return str(path.relative_to(ROOT))


def _blocks(path):
    """Yield the code of each Python block, with empty lines above for the line numbers."""
    text = path.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        yield "\n" * text.count("\n", 0, match.start(1)) + match.group(1)


def _params(paths):
    """Return test parameters; paths that need a framework are marked."""
    params = []
    for path in paths:
        needed = FRAMEWORKS & set(IMPORT.findall(path.read_text(encoding="utf-8")))
        marks = [pytest.mark.frameworks] * bool(needed) + [cases.OF_KERAS] * ("keras" in needed)
        params.append(pytest.param(path, marks=marks, id=_name(path)))
    return params


def _raise_unless_of_an_extra(error):
    if error.name is None or error.name.split(".")[0] not in EXTRAS:
        raise error


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    yield
    pyplot.close("all")


@pytest.mark.documents
@pytest.mark.parametrize("path", _params([path for path in DOCUMENTS if list(_blocks(path))]))
def test_code_of_document_runs(path):
    namespace = {"__name__": "__main__"}
    for block in _blocks(path):
        try:
            exec(compile(block, str(path), "exec"), namespace)
        except ModuleNotFoundError as error:
            _raise_unless_of_an_extra(error)


@pytest.mark.documents
@pytest.mark.parametrize("path", _params(EXAMPLES))
def test_example_runs(path):
    started = time.process_time()
    try:
        runpy.run_path(str(path), run_name="__main__")
    except ModuleNotFoundError as error:
        _raise_unless_of_an_extra(error)
        pytest.skip(str(error))
    assert time.process_time() - started < 100, "an example must run in less than 100 s"


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_pass(name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(name), optionflags=flags)
    assert result.failed == 0


def test_public_names_have_examples():
    public = [name for name in MODULES if "._" not in name]
    lacking = []
    for name in ["sklearn_lepton", *public]:
        module = importlib.import_module(name)
        objects = {of: getattr(module, of) for of in module.__all__}
        lacking += [f"{name}.{of}" for of, it in objects.items() if not _shows_its_use(it)]
    assert len(public) >= 8
    assert lacking == []


def _shows_its_use(thing):
    return isinstance(thing, str) or ">>> " in (thing.__doc__ or "")


@pytest.mark.skipif(
    not sklearn.__version__.startswith("1.9"), reason="the table is that of scikit-learn 1.9"
)
def test_table_of_built_in_spaces_is_current():
    table = runpy.run_path(str(ROOT / "docs" / "spaces_table.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # deprecated classes
        page = table["page"]()
    assert page == table["PAGE"].read_text(encoding="utf-8"), "run python docs/spaces_table.py"


def test_readme_fits_one_screen():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
    assert any(line.startswith("```python") for line in lines[:12])
