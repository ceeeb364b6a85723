"""Check the language of docstrings, comments and documentation.

``python tools/prose.py`` counts turns of phrase that read as translated in each of the
`CHECKED` paths. It fails where one has more than `LIMIT` per 1,000 words. ``--list`` prints
every turn with its place. The cure is a rewritten sentence; ``docs/glossary.md`` has the rules.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT = 0.5
CHECKED = ("README.md", "docs", "examples", "benchmarks", "tools", "sklearn_lepton", "tests")
SKIPPED = {"_build", "auto_examples", "generated"}

TURNS = {
    "expensive, not dear": r"\bdear(er|est|ly)?\b",
    "name the person or thing, not whoever": r"\bwhoever\b",
    "a noun, not a what-clause": (
        r"\b(of|from|by|to|with|and|is|as|for|on|in|all|than) what "
        r"(is|was|are|were|has|have|had|it|they|the|a|comes|goes|stands|can|may|remains)\b"
        r"|^what (is|was|comes|goes|stands|it|the|a)\b(?!.*\?)"
    ),
    "continue, not go on": r"\b(go|goes|going|gone|went) on\b",
    "again, not anew": r"\banew\b",
    "say, show or report, not tell": (
        r"\btold (apart|from)\b|\bcannot tell\b|\btells? (how|what|that|whether|which)\b"
    ),
    "should or must, not shall": r"\bshall\b",
    "is written or is, not stands": r"\bstands? (in|on|at|below|above|here|there|beside)\b",
    "a verb of its own, not come or make of": (
        r"\b(becomes?|became|come|came|comes|made|makes?) of (it|them|these|those|that|the)\b"
    ),
    "that there is": r"\bthat there (is|are|was|were)\b",
    "next to or compared with, not beside": r"\bbeside\b",
    "also, not likewise": r"\blikewise\b",
    "your own, not of yours": r"\bof (yours|ours|one's own)\b",
    "so, or because": r"\bminds? (that|the|what)\b|\bowed to\b|\bhence\b",
    "nevertheless, not all the same": r"\ball the same\b",
    "immediately, or at the same time": r"\bat once\b",
    "at all, not whatsoever": r"\bwhatsoever\b",
    "an example, not and the like": r"\band the like\b",
    "alone, or automatically": r"\bby (itself|themselves)\b",
    "reports it, not says so": r"\bsays? so\b",
    "a low-fidelity evaluation, not a look": (
        r"\blooks? (with|at|of) (less|little|a resource|the resource)\b|\blooks (earn|have|that)\b"
    ),
    "plainly, not in words": r"\bin words\b",
}
# Files and phrases in which a turn is right: the list of turns, a name, a quotation.
EXCEPT_FILES = {"tools/prose.py"}
EXCEPT_PHRASES: tuple[str, ...] = ()


def python_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and text of docstrings and comments."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False)
            if doc is not None:
                start = node.body[0].lineno
                for number, line in enumerate(doc.splitlines(), start):
                    if not line.lstrip().startswith((">>>", "...")):
                        yield number, line
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def document_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and text of a document, without its blocks of code."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line


def files(name: str) -> list[Path]:
    """Return the Python files and documents at a path."""
    path = ROOT / name
    matches = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.md")])
    if not matches:
        raise SystemExit(f"{name} holds no Python file and no document; give another path.")
    return [match for match in matches if not SKIPPED & set(match.parts)]


def turns(line: str) -> Iterator[str]:
    """Yield the cure of each turn in a line."""
    if any(phrase in line for phrase in EXCEPT_PHRASES):
        return
    for cure, turn in TURNS.items():
        for _ in re.finditer(turn, line, re.IGNORECASE):
            yield cure


def check(name: str, *, is_listing: bool) -> bool:
    """Print the number of turns per 1,000 words, and return whether it is within the limit."""
    n_words, found = 0, Counter[str]()
    for path in files(name):
        place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
        if place in EXCEPT_FILES:
            continue
        read = python_prose if path.suffix == ".py" else document_prose
        for number, line in read(path.read_text(encoding="utf-8")):
            n_words += len(re.findall(r"[A-Za-z]{2,}", line))
            for cure in turns(line):
                found[cure] += 1
                if is_listing:
                    print(f"{place}:{number}: {cure}: {line.strip()[:100]}")
    rate = 1000 * found.total() / max(n_words, 1)
    print(f"{name}: {found.total()} turns in {n_words} words, {rate:.2f} per 1,000")
    return rate <= LIMIT


def main() -> int:
    """Check each path, and return 1 if one is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", default=CHECKED)
    parser.add_argument("--list", action="store_true", help="print each turn with its place")
    options = parser.parse_args()
    over = [name for name in options.paths if not check(name, is_listing=options.list)]
    if over:
        print(f"More than {LIMIT} turns per 1,000 words in {', '.join(over)}: add --list.")
    return bool(over)


if __name__ == "__main__":
    sys.exit(main())
