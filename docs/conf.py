"""Configuration of the documentation; see `make docs`."""

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import sklearn_lepton

project = "sklearn-lepton"
author = "The sklearn-lepton developers"
project_copyright = "The sklearn-lepton developers"
version = release = sklearn_lepton.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "README.md"]
html_title = "sklearn-lepton"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["style.css"]
templates_path = ["_templates"]
html_theme_options = {
    "navbar_center": [],
    "navigation_with_keys": False,
    "show_prev_next": False,
}
# Pages of names are titled without their module, which the signature names: it would not fit.
# The sidebar lists the pages, which are too many for the header.
html_sidebars = {"**": ["pages"]}

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# sphinx-gallery configures with a function of its own, which cannot be cached.
# Docstrings inherited from scikit-learn refer to terms of its glossary.
suppress_warnings = ["config.cache", "ref.term"]

autosummary_generate = True
default_role = "code"
numpydoc_show_class_members = False
numpydoc_show_inherited_class_members = False

# Examples of libraries that are not installed, such as PyTorch, are shown and not run.
_IMPORT = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
_EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
_RUN = [
    path.name
    for path in _EXAMPLES
    if all(map(find_spec, _IMPORT.findall(path.read_text(encoding="utf-8"))))
]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "|".join(map(re.escape, _RUN)),
    "ignore_pattern": r"demo\.py",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
}

# The gallery shows its figures in files; agg's refusal of plt.show() is no news.
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
