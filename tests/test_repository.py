"""Rules of the repository: sizes, imports, public API, docstrings."""

import ast
import functools
import importlib
import importlib.util
import inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from joblib import Parallel
from joblib.externals.loky import ProcessPoolExecutor
from joblib.parallel import BACKENDS
from numpydoc.validate import validate

import sklearn_lepton

PACKAGE = Path(sklearn_lepton.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
EXTRAS = {"distributed", "matplotlib", "mlflow", "pandas", "ray"}
PUBLIC_MODULES = [
    "sklearn_lepton",
    *sorted(
        module.name
        for module in pkgutil.walk_packages([str(PACKAGE)], "sklearn_lepton.")
        if not any(part.startswith("_") for part in module.name.split("."))
    ),
]


def _name(path):
    return str(path.relative_to(PACKAGE.parent))


def _functions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _length(function):
    """Return the number of lines of a function, without signature and docstring."""
    body = function.body[ast.get_docstring(function, clean=False) is not None :]
    return function.end_lineno - body[0].lineno + 1 if body else 0


def _imported(node):
    """Return the absolute names that an import statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


# Sizes


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_are_short(path):
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= 450, f"{_name(path)} has {n_lines} lines: divide it by nouns"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_functions_are_short(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    long = {
        f"{function.name}, line {function.lineno}": _length(function)
        for function in _functions(tree)
        if _length(function) > 80
    }
    assert not long


# Imports


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_private_names_of_scikit_learn_are_used_in_one_module(path):
    if path.name == "sklearn.py":
        pytest.skip("this is the one")
    private = [
        name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imported(node)
        if name.split(".")[0] == "sklearn" and any(p.startswith("_") for p in name.split("."))
    ]
    assert not private


@functools.cache
def _private_attributes_of_joblib():
    objects = [ProcessPoolExecutor(max_workers=1), BACKENDS["loky"](), Parallel()]
    names = {name for value in objects for name in [*dir(value), *vars(value)]}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_private_names_of_joblib_and_loky_are_used_in_one_module(path):
    if path.parent.name == "_workers" and path.name == "joblib.py":
        pytest.skip("the adapter to joblib")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [
        name
        for node in ast.walk(tree)
        for name in _imported(node)
        if name.startswith(("joblib.externals.", "joblib.parallel.", "joblib._", "loky"))
    ]
    private = _private_attributes_of_joblib()
    accessed = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in private
        and ast.unparse(node.value) not in {"self", "cls"}
    ]
    assert not imported
    assert not accessed


# Packages that a function may import, because `import sklearn_lepton` would take three times as
# long with them and most searches need none.
LAZY = {
    "_search/ensemble.py": {"sklearn.ensemble"},
    "_search/model_choice.py": {"sklearn.ensemble", "sklearn_lepton._automl"},
    "_search/reporting.py": {"sklearn_lepton.report"},
}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_only_extras_and_slow_packages_are_imported_inside_functions(path):
    allowed = EXTRAS | LAZY.get(path.relative_to(PACKAGE).as_posix(), set())
    lazy = {
        name
        for function in _functions(ast.parse(path.read_text(encoding="utf-8")))
        for node in ast.walk(function)
        for name in _imported(node)
        if not any(name == package or name.startswith(f"{package}.") for package in allowed)
    }
    assert not lazy


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_text_and_warnings_go_through_one_module(path):
    if path.name == "output.py":
        pytest.skip("this is the one")
    direct = {
        "print",
        "warnings.warn",
        "sys.stdout.write",
        "sys.stderr.write",
        "warnings.showwarning",
    }
    calls = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in direct
    ]
    assert not calls, "use _output.write_line and _output.warn: a broken stream ends no search"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_name_the_defining_module(path):
    through_a_package = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.level > 0 or (node.module or "").startswith("sklearn_lepton"))
        and _is_package(node, path)
    ]
    if path.name == "__init__.py":
        # A package's own __init__ re-exports names of its modules.
        pytest.skip("a package")
    assert not through_a_package


def _is_package(node, path):
    package = ".".join(path.parent.relative_to(PACKAGE.parent).parts)
    name = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
    target = PACKAGE.parent.joinpath(*name.split("."))
    if not (target / "__init__.py").exists():
        return False
    return not all(
        (target / f"{alias.name}.py").exists() or (target / alias.name / "__init__.py").exists()
        for alias in node.names
    )


def _loaded_by(module):
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


LOADED_OF_SKLEARN = {"sklearn.pipeline", "sklearn.utils._user_interface"}


@pytest.mark.thorough
def test_import_loads_only_what_scikit_learn_loads():
    added = _loaded_by("sklearn_lepton") - _loaded_by("sklearn.model_selection")
    foreign = {name.split(".")[0] for name in added} - set(sys.stdlib_module_names)
    # scikit-learn's packages of models take longer to import than all of this package.
    assert {name for name in added if name.split(".")[0] == "sklearn"} <= LOADED_OF_SKLEARN
    assert foreign <= {"sklearn", "sklearn_lepton"}


# Public API


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_all_lists_the_public_names(name):
    module = importlib.import_module(name)
    for key in module.__all__:
        getattr(module, key)  # which loads it
    homes = {
        key: getattr(value, "__module__", None) or ""
        for key, value in vars(module).items()
        if not key.startswith("_") and not inspect.ismodule(value)
    }
    exported = {key for key in module.__all__ if not key.startswith("__")}
    if module.__file__.endswith("__init__.py"):  # a package re-exports names of its modules
        assert exported == {key for key, home in homes.items() if home.startswith("sklearn_lepton")}
    else:
        assert exported <= set(homes)
        assert {key for key, home in homes.items() if home == name} <= exported
    assert len(module.__all__) == len(set(module.__all__))


def test_public_names_are_loaded_at_first_use():
    code = (
        "import sys, sklearn_lepton as package\n"
        "assert not {'joblib', 'numpy', 'scipy', 'sklearn'} & {*sys.modules}\n"
        "assert {*package.__all__, 'optimizers', 'plotting'} <= {*dir(package)}\n"
        "assert package.optimizers.RandomOptimizer and package.exceptions.JournalWarning\n"
        "assert package.BayesSearchCV is package.BayesSearchCV\n"
        "assert not hasattr(package, 'Bayes')\n"
        "from sklearn_lepton import *\n"
        "assert tune is package.tune\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_package_exports_searches_and_dimensions():
    assert {
        "AutoSearchCV",
        "BayesSearchCV",
        "SwarmSearchCV",
        "GeneticSearchCV",
        "Real",
        "Integer",
        "Categorical",
        "Space",
    } <= set(sklearn_lepton.__all__)


def test_changelog_has_the_version():
    version = sklearn_lepton.__version__
    changelog = PACKAGE.parent / "CHANGELOG.md"
    assert f"## [{version}]" in changelog.read_text(encoding="utf-8")


def test_package_is_typed():
    assert (PACKAGE / "py.typed").exists()


BENCHMARKS = PACKAGE.parent / "benchmarks"


@pytest.mark.skipif(not BENCHMARKS.exists(), reason="a source distribution has no benchmarks")
def test_ablations_name_existing_attributes(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    contestants = importlib.import_module("contestants")
    targets = {name for changes in contestants.ABLATIONS.values() for name in changes}
    for target in [*targets, *contestants.in_turn()]:
        path, _, attribute = f"sklearn_lepton.{target}".rpartition(".")
        assert hasattr(pkgutil.resolve_name(path), attribute), target


# Docstrings

# Checks of numpydoc that are a matter of style, or that scikit-learn's docstrings fail too.
IGNORED_CHECKS = {
    "GL01",  # the summary is on the first line
    "GL08",  # ruff's pydocstyle checks magic methods and properties
    "ES01",  # an extended summary is optional
    "SA01",  # See Also is optional
    "SA04",  # descriptions in it are optional
    "EX01",  # test_documents.py checks examples
    "PR06",  # scikit-learn says "array-like of shape ..."
    "PR07",  # "points : array-like of shape (n_points, n_dims)" says it all
    "PR08",  # descriptions may start with a literal or a name
    "PR09",  # and end without a full stop
    "RT02",  # named return values are fine
    "RT03",  # as PR08
    "RT04",  # as PR08
    "RT05",  # as PR09
    "SS05",  # "Bayesian", "Genetic": a class is no verb
    "SS06",  # ruff checks this
    "YD01",  # the summary of a generator names its items
}


def _public_objects():
    for name in PUBLIC_MODULES:
        module = importlib.import_module(name)
        for key in module.__all__:
            value = getattr(module, key)
            if key.startswith("__") or not (inspect.isclass(value) or inspect.isroutine(value)):
                continue
            yield f"{value.__module__}.{value.__qualname__}"
            if not inspect.isclass(value):
                continue
            for method, function in vars(value).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{value.__module__}.{value.__qualname__}.{method}"


@pytest.mark.parametrize("name", sorted(set(_public_objects())))
def test_docstrings_follow_numpydoc(name):
    found = validate(name)
    assert found["docstring"], "no docstring"
    ignored = set(IGNORED_CHECKS)
    if found["type"] == "function" and "\n\n" not in inspect.cleandoc(found["docstring"]):
        ignored |= {"PR01", "RT01"}  # one sentence suffices
    problems = [f"{code}: {message}" for code, message in found["errors"] if code not in ignored]
    assert not problems
