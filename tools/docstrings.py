"""Write the shared parts of the searches' docstrings.

`SearchParameters` documents the parameters and attributes that all searches share. This script
copies them to the docstrings of the four searches, in the order of the signature. Text of a
search's own parameters, and of those in ``OVERRIDES``, stays as written in its class.

Usage: ``python tools/docstrings.py`` writes; ``--check`` fails if a docstring would change.
"""

import argparse
import ast
import inspect
import re
import sys
from pathlib import Path

from sklearn_lepton import AutoSearchCV, BayesSearchCV, GeneticSearchCV, SwarmSearchCV
from sklearn_lepton._search.parameters import SearchParameters

SEARCHES = (AutoSearchCV, BayesSearchCV, SwarmSearchCV, GeneticSearchCV)
# Shared names that a search describes in its own words.
OVERRIDES = {
    "AutoSearchCV": {"estimator", "optimizer_"},
    "BayesSearchCV": {"n_initial_points", "optimizer_"},
    "SwarmSearchCV": {"n_initial_points", "optimizer_"},
    "GeneticSearchCV": {"n_initial_points", "optimizer_"},
}
GROUPS = "The parameters come in groups"
_SECTION = re.compile(r"^    (\w[\w ]*)\n    -+\n", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+) : .*\n(?:        .*\n|\n(?=        ))*", re.MULTILINE)


def split_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Return the part of a raw docstring before its first section, and its sections by title."""
    head, *parts = _SECTION.split(text)
    return head, dict(zip(parts[::2], parts[1::2], strict=True))


def read_entries(section: str) -> dict[str, str]:
    """Return the entries of a section by name, each as written."""
    return {match[1]: match[0] for match in _ENTRY.finditer(section)}


def merge(own: str, shared: str, order: list[str], overrides: set[str]) -> str:
    """Return a section with the shared entries in place of those that a class must not change."""
    mine, theirs = read_entries(own), read_entries(shared)
    chosen = {**mine, **{k: v for k, v in theirs.items() if k not in overrides}}
    if missing := [name for name in order if name not in chosen]:
        raise SystemExit(f"no description of {', '.join(missing)}")
    return "".join(chosen[name] for name in order) + "\n"


def complete(search: type, text: str) -> str:
    """Return the docstring of a search with the shared parts as in `SearchParameters`."""
    shared_text, _ = raw_docstring(SearchParameters)
    shared_head, shared = split_docstring(shared_text)
    head, sections = split_docstring(text)
    overrides = OVERRIDES[search.__name__]
    groups = shared_head[shared_head.index(f"    {GROUPS}") :]
    head = head.split(f"    {GROUPS}")[0].rstrip() + "\n\n" + groups
    attributes = list(read_entries(shared["Attributes"]))
    attributes += [n for n in read_entries(sections["Attributes"]) if n not in attributes]
    orders = {"Parameters": list(inspect.signature(search).parameters), "Attributes": attributes}
    for title, order in orders.items():
        sections[title] = merge(sections[title], shared[title], order, overrides)
    return head + "".join(
        f"    {title}\n    {'-' * len(title)}\n{body}" for title, body in sections.items()
    )


def raw_docstring(cls: type) -> tuple[str, Path]:
    """Return the docstring of a class as its file has it, and the file."""
    path = Path(inspect.getfile(cls))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    [node] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    return ast.get_docstring(node, clean=False) or "", path


def main(arguments: list[str] | None = None) -> int:
    """Write the docstrings, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if one differs")
    is_check = parser.parse_args(arguments).check
    changed = []
    for search in SEARCHES:
        text, path = raw_docstring(search)
        completed = complete(search, text)
        if completed == text:
            continue
        changed.append(search.__name__)
        if not is_check:
            source = path.read_text(encoding="utf-8")
            path.write_text(source.replace(text, completed, 1), encoding="utf-8")
    if changed:
        done = "differ from SearchParameters: run `make docstrings`" if is_check else "written"
        sys.stdout.write(f"Docstrings of {', '.join(changed)} {done}.\n")
    return int(is_check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
