"""Displays: their data and their pictures, for every kind of search."""

import io
import math
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import subjects
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV, SwarmSearchCV
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton.optimizers import (
    BayesOptimizer,
    GeneticOptimizer,
    RandomOptimizer,
    SwarmOptimizer,
)
from sklearn_lepton.plotting import (
    ComparisonDisplay,
    ContourDisplay,
    ConvergenceDisplay,
    ImportanceDisplay,
    LineageDisplay,
    ParallelCoordinatesDisplay,
    SliceDisplay,
    SwarmDisplay,
    TimelineDisplay,
)

OF_ANY_SEARCH = [
    ConvergenceDisplay,
    ImportanceDisplay,
    ContourDisplay,
    ParallelCoordinatesDisplay,
    SliceDisplay,
]
MANY = {
    **{f"preprocess__numeric__step_{k}__alpha": (1e-5, 10.0, "log-uniform") for k in range(8)},
    **{f"clf__fraction_{k}": (0.0, 1.0, "uniform") for k in range(6)},
    **{f"clf__n_{k}": (1, 512, "log-int") for k in range(3)},
    "clf__kind": [f"a category with the number {k}" for k in range(30)],
    "clf__flag": [None, True],
    "clf__batch": [16, 32, 64],
}


@pytest.fixture(autouse=True)
def _no_window():
    before = plt.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


def number(params):
    return -sum(
        abs(math.log10(v)) if isinstance(v, float) and v > 0 else len(str(v)) / 10
        for v in params.values()
    )


def told(kind=RandomOptimizer, entries=subjects.MIXED, n_trials=24, **options):
    """Make an optimizer with complete, failed and pruned trials."""
    optimizer = kind(entries, seed=0, **options)
    while len(optimizer.trials) < n_trials:
        for trial in optimizer.ask(4):
            done = trial.complete(number(trial.params), split_scores=[0.1, 0.3])
            if trial.number % 8 == 5:
                done = trial.fail()
            elif trial.number % 8 == 6:
                done = trial.prune((number(trial.params), 0.1), split_scores=[0.1, math.nan])
            optimizer.tell([done])
    return optimizer


def shown_axes(display):
    return [display.ax_] if hasattr(display, "ax_") else list(display.axes_.ravel())


@pytest.fixture(scope="module")
def search():
    X, y = load_iris(return_X_y=True)
    space = {"svc__C": (1e-2, 1e2, "log-uniform"), "svc__gamma": (1e-3, 1e1, "log-uniform")}
    pipeline = make_pipeline(StandardScaler(), SVC())
    return BayesSearchCV(pipeline, space, n_iter=8, cv=3, scoring="accuracy").fit(X, y)


# All of them.


@pytest.mark.parametrize(
    "entries",
    [subjects.NUMERIC, subjects.MIXED, subjects.BRANCHES, MANY],
    ids=["two", "mixed", "branches", "twenty"],
)
@pytest.mark.parametrize("kind", OF_ANY_SEARCH)
def test_display_draws_every_space(kind, entries):
    optimizer = told(entries=entries)
    display = kind.from_search(optimizer)
    assert not hasattr(display, "figure_")
    assert display.plot() is display
    assert isinstance(display.figure_, Figure)
    assert all(axes.get_figure() is display.figure_ for axes in shown_axes(display))
    display.figure_.canvas.draw()


@pytest.mark.parametrize("kind", OF_ANY_SEARCH)
def test_given_axes_are_used_and_nothing_else_changes(kind):
    display = kind.from_search(told(entries=subjects.NUMERIC))
    figure, axes = plt.subplots(1, 2)
    plt.sca(axes[1])
    figures, settings = plt.get_fignums(), dict(mpl.rcParams)
    display.plot(ax=axes[0])
    assert display.figure_ is figure
    assert plt.get_fignums() == figures
    assert dict(mpl.rcParams) == settings
    alone = Figure()
    assert display.plot(ax=alone.subplots()).figure_ is alone
    assert plt.get_fignums() == figures


@pytest.mark.parametrize("kind", OF_ANY_SEARCH)
def test_invalid_source_is_refused(kind):
    with pytest.raises(NotFittedError, match="call fit"):
        kind.from_search(BayesSearchCV(SVC(), {"C": [1, 2]}))
    with pytest.raises(TypeError, match="a fitted search"):
        kind.from_search(3)
    with pytest.raises(ValueError, match="give their space"):
        kind.from_search(told().trials)


def test_search_journal_and_trials_give_equal_displays(tmp_path):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "study.jsonl"
    fitted = SwarmSearchCV(
        SVC(), {"C": (0.01, 10.0, "log-uniform"), "kernel": ["rbf", "poly"]}, n_iter=6, cv=2,
        journal=path, scoring="accuracy", random_state=0,
    ).fit(X, y)  # fmt: skip
    sources = [(fitted, None), (path, None), (str(path), None), (fitted.optimizer_, None)]
    sources.append((fitted.trials_, fitted.space_))
    for source, space in sources:
        display = ConvergenceDisplay.from_search(source, space=space)
        assert display.best_scores[-1] == fitted.best_score_
        assert display.scores.tolist() == [trial.score for trial in fitted.trials_]
        values = SliceDisplay.from_search(source, space=space).values
        assert values[0].tolist() == [trial.params["C"] for trial in fitted.trials_]
    assert ConvergenceDisplay.from_search(path).score_name == "accuracy"

    class Quacks:
        trials_, space_, optimizer_ = fitted.trials_, fitted.space_, fitted.optimizer_

    assert ConvergenceDisplay.from_search(Quacks()).best_scores[-1] == fitted.best_score_


def test_failed_search_is_drawn_with_its_finished_trials():
    X, y = load_iris(return_X_y=True)

    def stop(_search, trial):
        if trial.number == 4:
            raise RuntimeError("in the middle")

    search = BayesSearchCV(SVC(), {"C": (0.1, 10.0, "uniform")}, cv=2, callbacks=stop)
    with pytest.raises(RuntimeError, match="in the middle"):
        search.fit(X, y)
    display = ConvergenceDisplay.from_search(search).plot()
    assert len(display.scores) >= 5


@pytest.mark.parametrize("n_trials", [0, 1, 6])
@pytest.mark.parametrize("kind", [ConvergenceDisplay, ParallelCoordinatesDisplay])
def test_study_without_a_successful_trial_is_drawn(kind, n_trials):
    optimizer = RandomOptimizer(subjects.NUMERIC)
    optimizer.tell([trial.fail(duration=1.0) for trial in optimizer.ask(n_trials)])
    display = kind.from_search(optimizer).plot()
    display.figure_.savefig(io.BytesIO())
    assert len(display.scores) == n_trials


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize(
    "kind", [ConvergenceDisplay, ContourDisplay, ParallelCoordinatesDisplay, SliceDisplay]
)
def test_extreme_numbers_are_drawn(kind):
    widest = {"x": (5e-324, 1e308, "log-uniform"), "k": [1, 2], "y": (-1e308, 1e308, "uniform")}
    for space, scale in [(widest, 1.0), (subjects.NUMERIC, 1.5e308)]:
        optimizer = RandomOptimizer(space)
        trials = optimizer.ask(8)
        optimizer.tell([t.complete(scale * t.point[0] * (-1) ** t.number) for t in trials])
        kind.from_search(optimizer).plot().figure_.savefig(io.BytesIO())


@pytest.mark.thorough
def test_plot_without_matplotlib_raises_but_data_are_available():
    program = """if True:
        import sys
        import sklearn_lepton, sklearn_lepton.plotting as plotting
        from sklearn_lepton.optimizers import RandomOptimizer
        assert "matplotlib" not in sys.modules
        sys.modules["matplotlib"] = None
        optimizer = RandomOptimizer({"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")})
        optimizer.tell([t.complete(t.params["x"]) for t in optimizer.ask(8)])
        for name in ("Convergence", "Importance", "Contour", "ParallelCoordinates", "Slice"):
            display = getattr(plotting, name + "Display").from_search(optimizer)
            try:
                display.plot()
            except ImportError as error:
                assert "sklearn-lepton[plot]" in str(error)
            else:
                raise AssertionError(name)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Convergence and comparison.


def test_convergence_has_best_score_so_far_and_error(search):
    display = ConvergenceDisplay.from_search(search)
    scores = [trial.score for trial in search.trials_]
    assert display.best_scores.tolist() == np.maximum.accumulate(scores).tolist()
    best = search.trials_[int(np.argmax(scores))].split_scores
    error = math.sqrt((1 / 3 + 1 / 2) * np.var(best, ddof=1))
    assert display.best_errors[-1] == pytest.approx(error)
    assert display.score_name == "accuracy"
    assert np.all(np.diff(display.seconds) > 0)
    display.plot()
    assert display.ax_.get_xlabel() == "trial number"
    assert display.line_.get_xdata().tolist() == [trial.number for trial in search.trials_]
    assert display.ax_.get_ylabel() == "accuracy"
    assert display.line_.get_ydata().tolist() == display.best_scores.tolist()
    display.plot(x="seconds")
    assert display.line_.get_xdata().tolist() == display.seconds.tolist()
    with pytest.raises(ValueError, match="x must be"):
        display.plot(x="hours")


def test_convergence_shows_the_untuned_estimator_as_a_line(search):
    # The space does not contain gamma='scale'.
    assert ConvergenceDisplay.from_search(search).untuned_score == search.trials_[0].score
    X, y = load_iris(return_X_y=True)
    other = BayesSearchCV(SVC(), {"C": (0.1, 10.0, "uniform")}, n_iter=3, cv=2).fit(X, y)
    display = ConvergenceDisplay.from_search(other).plot()
    assert display.untuned_score == other.trials_[0].score
    assert "untuned" in [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_failed_pruned_and_low_fidelity_trials_are_never_best():
    optimizer = RandomOptimizer(subjects.NUMERIC, resources=(0.5, 1.0))
    [first] = optimizer.ask()
    optimizer.tell([first.complete(0.0)])
    [second, third, fourth] = optimizer.ask(3)
    optimizer.tell([second.complete(9.0), third.fail(), fourth.prune((8.0, 0.1))])
    display = ConvergenceDisplay.from_search(optimizer).plot()
    assert second.fidelity == 0.5
    assert display.best_scores.tolist() == [0.0] * 4
    assert display.statuses == ["complete", "complete", "failed", "pruned"]
    assert np.isnan(display.scores[2])
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert {"failed", "pruned", "lower fidelity", "best so far"} <= set(labels)


def test_very_low_score_does_not_set_the_axis_limits():
    optimizer = RandomOptimizer(subjects.NUMERIC)
    trials = optimizer.ask(20)
    optimizer.tell([t.complete(-1e9 if t.number == 3 else t.params["x"]) for t in trials])
    for kind in (ConvergenceDisplay, SliceDisplay):
        display = kind.from_search(optimizer).plot()
        assert shown_axes(display)[0].get_ylim()[0] > -10


@pytest.mark.parametrize("display", [ConvergenceDisplay, LineageDisplay])
def test_trial_is_drawn_at_its_number(display):
    optimizer = told(GeneticOptimizer, n_trials=40, surrogate=False)
    drawn = display.from_search(optimizer).plot()
    assert drawn.ax_.get_xlabel() == "trial number"
    places = np.concatenate(
        [
            marks.get_offsets()[:, 0]
            for marks in drawn.ax_.collections
            if len(marks.get_offsets()) and marks.get_paths()
        ]
    )
    assert {trial.number for trial in optimizer.trials} == set(places.astype(int).tolist())


@pytest.mark.parametrize("kind", [ConvergenceDisplay, SliceDisplay, LineageDisplay])
def test_scores_below_the_axis_are_marked_and_counted(kind):
    optimizer = GeneticOptimizer(subjects.NUMERIC, surrogate=False)
    for number in range(47):
        [trial] = optimizer.ask()
        optimizer.tell([trial.complete(-9.0 if number % 3 == 1 else trial.params["x"])])
    axes = shown_axes(kind.from_search(optimizer).plot())[0]
    legend = axes.get_legend()
    words = [text.get_text() for text in [*axes.texts, *(legend.get_texts() if legend else [])]]
    assert "16 below" in words
    assert sum(len(marks.get_offsets()) == 16 for marks in axes.collections) == 1


def test_colorbar_marks_scores_below_its_range():
    optimizer = RandomOptimizer(subjects.NUMERIC, seed=0)
    trials = optimizer.ask(40)
    optimizer.tell([t.complete(-9.0 if t.number % 3 == 1 else t.params["x"]) for t in trials])
    display = ParallelCoordinatesDisplay.from_search(optimizer).plot()
    assert display.lines_.colorbar.extend == "min"


def fits_at(*begins):
    """Make an optimizer whose trials have one fit of 2.5 seconds each."""
    optimizer = RandomOptimizer(subjects.NUMERIC)
    for trial, begin in zip(optimizer.ask(len(begins)), begins, strict=True):
        times = {"start_time": begin, "fit_time": 2.0, "score_time": 0.5}
        row = SplitResult(**times, worker=trial.number % 2)
        optimizer.tell([trial.complete(0.5, split_results=[row], split_scores=[0.5], duration=2.5)])
    return optimizer


def test_clock_includes_time_between_fits():
    optimizer = fits_at(1e9, 1e9 + 10, 1e9 + 50)
    assert ConvergenceDisplay.from_search(optimizer).seconds.tolist() == [2.5, 12.5, 52.5]
    assert TimelineDisplay.from_search(optimizer).ends.tolist() == [2.5, 12.5, 52.5]


def test_clock_omits_long_pauses():
    optimizer = fits_at(1e9, 1e9 + 1, 1e9 + 90_000)
    assert ConvergenceDisplay.from_search(optimizer).seconds.tolist() == [2.5, 3.5, 6.0]
    display = TimelineDisplay.from_search(optimizer).plot()
    assert display.begins.tolist() == [0.0, 1.0, 3.5]
    assert display.ends.tolist() == [2.5, 3.5, 6.0]
    assert display.cuts.tolist() == [3.5]
    assert display.busy == pytest.approx(7.5 / 12)


def test_comparison_draws_several_searches():
    searches = {"a": told(), "b": told(BayesOptimizer)}
    display = ComparisonDisplay.from_searches(searches).plot()
    assert list(display.displays) == ["a", "b"]
    assert [line.get_label() for line in display.lines_] == ["a", "b"]
    assert len({line.get_color() for line in display.lines_}) == 2
    display.plot(Figure().subplots(), x="seconds")
    with pytest.raises(ValueError, match="a dict of names"):
        ComparisonDisplay.from_searches([told()])


def test_whiskers_are_two_standard_deviations():
    display = ImportanceDisplay.from_search(told()).plot()
    assert "± 2 standard deviations" in display.ax_.get_xlabel()
    [lines] = [c for c in display.ax_.collections if type(c).__name__ == "LineCollection"]
    first = int(display.importances_mean.argmax())
    share, error = display.importances_mean[first], display.importances_std[first]
    expected = [max(share - 2 * error, 0), min(share + 2 * error, 1)]
    ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
    assert any(end == pytest.approx(expected) for end in ends)


# Parameters.


def test_axes_use_the_scale_of_the_space(search):
    display = SliceDisplay.from_search(search).plot()
    assert display.names == ["svc__C", "svc__gamma"]
    assert [axes.get_xscale() for axes in display.axes_.ravel()] == ["log", "log"]
    assert display.axes_[0, 0].get_xlim() == (1e-2, 1e2)
    assert display.axes_[0, 0].get_xlabel() == "svc__C"
    mapped = ContourDisplay.from_search(search).plot().axes_[0, 0]
    assert (mapped.get_xscale(), mapped.get_yscale()) == ("log", "log")
    mixed = SliceDisplay.from_search(told()).plot()
    scales = {n: a.get_xscale() for n, a in zip(mixed.names, mixed.axes_.ravel(), strict=True)}
    assert set(scales.values()) == {"linear"}


def test_slice_equals_predict(search):
    display = SliceDisplay.from_search(search, parameters="svc__C")
    best = max((t for t in search.trials_ if t.point), key=lambda trial: trial.score)
    settings = [dict(best.params) | {"svc__C": float(value)} for value in display.grids[0]]
    mean, std = search.optimizer_.predict(settings)
    assert display.means[0] == pytest.approx(mean)
    assert display.stds[0] == pytest.approx(std)


def test_marginal_is_mean_over_other_parameters():
    optimizer = BayesOptimizer(subjects.NUMERIC, seed=0)
    for _ in range(3):
        asked = optimizer.ask(8)
        optimizer.tell([t.complete(t.params["x"] + 10 * t.params["y"]) for t in asked])
    marginal = SliceDisplay.from_search(optimizer, kind="marginal")
    slope = np.polyfit(marginal.grids[0], marginal.means[0], 1)
    assert slope == pytest.approx([1.0, 5.0], abs=0.4)
    sliced = SliceDisplay.from_search(optimizer)
    assert sliced.means[0].mean() == pytest.approx(10.5, abs=0.7)
    with pytest.raises(ValueError, match="kind must be"):
        SliceDisplay.from_search(optimizer, kind="mean")


def test_each_branch_has_its_own_axes():
    optimizer = told(entries=subjects.BRANCHES)
    display = SliceDisplay.from_search(optimizer).plot()
    assert display.names == ["kind", "C", "kernel", "depth", "share"]
    is_tree = np.array([trial.params["kind"] == "tree" for trial in optimizer.trials])
    assert np.array_equal(np.isnan(display.values[1]), is_tree)
    assert np.array_equal(np.isnan(display.values[3]), ~is_tree)
    labels = [text.get_text() for text in display.axes_[0, 0].get_xticklabels()]
    assert labels == ["svm", "tree"]
    mapped = ContourDisplay.from_search(optimizer, parameters=["C", "depth", "kind"])
    assert np.isnan(mapped.maps[0, 1]["mean"]).all()  # no branch has both
    assert np.isnan(mapped.maps[0, 2]["mean"]).mean() == 0.5
    mapped.plot()
    lines = ParallelCoordinatesDisplay.from_search(optimizer)
    assert np.array_equal(np.isnan(lines.units), np.isnan(np.column_stack(display.values)))


def test_many_parameters_and_categories_stay_readable():
    optimizer = told(entries=MANY)
    display = SliceDisplay.from_search(optimizer).plot()
    labels = [axes.get_xlabel() for axes in display.axes_.ravel()]
    assert len(labels) == 20
    assert max(map(len, labels)) <= 28
    kind = display.axes_.ravel()[display.names.index("clf__kind")]
    assert len(kind.get_xticklabels()) <= 12
    few = SliceDisplay.from_search(optimizer, max_parameters=3)
    assert len(few.names) == 3
    assert len(ImportanceDisplay.from_search(optimizer).plot().bars_) <= 15


def test_unknown_parameters_are_refused():
    optimizer = told()
    with pytest.raises(ValueError, match="Did you mean 'kind'"):
        SliceDisplay.from_search(optimizer, parameters=["kidn"])
    with pytest.raises(ValueError, match="at least two parameters that vary"):
        ContourDisplay.from_search(optimizer, parameters=["x"])
    with pytest.raises(ValueError, match="at least two parameters that vary"):
        ParallelCoordinatesDisplay.from_search(optimizer, parameters=["x"])
    constant = RandomOptimizer({"x": [1]})
    constant.tell([trial.complete(1.0) for trial in constant.ask()])
    with pytest.raises(ValueError, match="no parameter that varies"):
        ParallelCoordinatesDisplay.from_search(constant)


def test_too_many_axes_are_refused():
    display = SliceDisplay.from_search(told())
    with pytest.raises(ValueError, match="array of at least 3 Axes"):
        display.plot(ax=np.array(Figure().subplots(1, 2)))
    own = Figure().subplots(1, 3)
    assert display.plot(ax=own).axes_.ravel().tolist() == own.tolist()
    with pytest.raises(ValueError, match="needs the Axes of a subplot"):
        display.plot(ax=Figure().add_axes((0, 0, 1, 1)))
    with pytest.raises(TypeError, match="ax must be"):
        ConvergenceDisplay.from_search(told()).plot(ax=3)


# What only some searches have.


def test_timeline_bars_equal_recorded_times(search):
    display = TimelineDisplay.from_search(search).plot()
    assert len(display.begins) == 8 * 3
    assert set(display.splits.tolist()) == {0, 1, 2}
    assert display.begins[0] == 0.0
    assert 0 < display.busy <= 1
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["worker 0"]
    with pytest.raises(ValueError, match="records when its fits ran"):
        TimelineDisplay.from_search(told())


def test_swarm_display_draws_the_path_of_each_particle():
    optimizer = told(SwarmOptimizer, n_trials=40, surrogate=False)
    display = SwarmDisplay.from_search(optimizer, parameters=["x", "kind"]).plot()
    moved = {row for pieces in display.paths.values() for piece in pieces for row in piece}
    assert {row for row, t in enumerate(optimizer.trials) if "particle" in t.proposal} <= moved
    for particle, pieces in display.paths.items():
        for row in np.concatenate(pieces):
            assert optimizer.trials[row].proposal.get("particle", particle) == particle
    assert display.names == ["x", "kind"]
    display.plot(Figure().subplots(), n_last=2)
    with pytest.raises(ValueError, match="a particle's move"):
        SwarmDisplay.from_search(told())


def test_lineage_display_draws_ancestors_of_the_best_trial():
    optimizer = told(GeneticOptimizer, n_trials=40, surrogate=False)
    display = LineageDisplay.from_search(optimizer).plot()
    assert optimizer.best.number in display.ancestors
    meta = {trial.number: trial.proposal for trial in optimizer.trials}
    assert all(parent in meta[child]["parents"] for parent, child in display.edges)
    for number in display.ancestors:
        assert set(meta[number].get("parents", ())) <= display.ancestors
    with pytest.raises(ValueError, match="has parents"):
        LineageDisplay.from_search(told())
