"""The display of a Pareto front, and the section of the report."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_lepton import Limit, tune
from sklearn_lepton.plotting import FrontDisplay


def distances(x, y):
    return {"left": x**2 + y**2, "right": (x - 1.0) ** 2 + y**2}


def tuned(*objectives):
    space = {"x": (-2.0, 2.0), "y": (-2.0, 2.0)}
    options = {"n_iter": 20, "optimizer": "random", "random_state": 0, "minimize": True}
    return tune(distances, space, objectives=list(objectives) or None, **options)


@pytest.fixture
def result():
    return tuned("left", "right", Limit("left", at_most=2.0))


def test_display_has_the_values_of_the_function(result):
    display = FrontDisplay.from_search(result)
    expected = [list(distances(**trial.params).values()) for trial in result.trials_]
    np.testing.assert_allclose(display.values, expected)
    front = [t.number for t in result.pareto_trials_]
    assert np.flatnonzero(display.is_on_front).tolist() == sorted(front)
    assert display.is_within_limits.tolist() == (np.array(expected)[:, 0] <= 2.0).tolist()
    assert display.best == result.best_index_


def test_line_bounds_what_the_front_dominates(result):
    backend = plt.get_backend()
    plt.switch_backend("agg")
    try:
        display = FrontDisplay.from_search(result).plot(Figure().subplots())
    finally:
        plt.switch_backend(backend)
    x, y = display.front_.get_data()
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) < 0).all()
    assert display.front_.get_drawstyle() == "steps-post"
    labels = display.ax_.get_legend_handles_labels()[1]
    assert labels == ["dominated", "over a limit", f"front ({len(x)})", "best"]
    assert display.ax_.get_xlabel() == "left (smaller is better)"


def test_display_without_a_front_is_an_error(result):
    for search, names in ((tuned(), None), (tuned("left"), None), (result, ("left", "up"))):
        with pytest.raises(ValueError, match="A front has two objectives"):
            FrontDisplay.from_search(search, names=names)


def test_report_lists_the_front_and_the_limits(result, tmp_path):
    result.report(tmp_path / "front.html")
    page = (tmp_path / "front.html").read_text(encoding="utf-8")
    section = page.split('<section id="front"')[1].split("</section>")[0]
    assert "left to minimize, right to minimize" in section
    assert "left &lt;= 2" in section
    assert section.count("<tr>") == 1 + len(result.pareto_trials_)
    tuned().report(tmp_path / "single.html")
    assert 'id="front"' not in (tmp_path / "single.html").read_text(encoding="utf-8")
