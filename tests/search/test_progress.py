"""Progress display: its text, and when it is written to a terminal, notebook or log."""

import sys
import time
import types

import pytest

from sklearn_lepton._runtime import output as output_module
from sklearn_lepton._search import progress as progress_module
from sklearn_lepton._search.progress import Progress, WatchedStudy, format_params, format_seconds
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton.optimizers import RandomOptimizer


class Terminal:
    """A standard output that claims to be a terminal."""

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def screen(self):
        """Return the lines that a terminal would show."""
        lines = []
        for line in self.text.split("\n"):
            shown = []
            for part in line.split("\r"):
                shown[: len(part)] = part
            lines.append("".join(shown).rstrip())
        return lines


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    stand_in = types.SimpleNamespace(stdout=Terminal(), modules={})
    for module in (progress_module, output_module):
        monkeypatch.setattr(module, "sys", stand_in)
    monkeypatch.setenv("COLUMNS", "100")
    return stand_in.stdout


def start(n_trials=20, n_splits=2, verbose=1, deadline=None):
    study = Study(RandomOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0), n_trials)
    progress = Progress("Search", study, n_splits, verbose=verbose, deadline=deadline)
    return WatchedStudy(study, progress), progress


def run(watched, progress, clock, n_trials, seconds=1.0, at_once=1):
    for _ in range(n_trials // at_once):
        asked = watched.ask(at_once)
        for split in range(2):
            clock[0] += seconds / 2
            for trial in asked:
                watched.record_split(trial.number, split, SplitResult(scores=0.5))
        done = [t.complete(t.number / 100, split_scores=[t.number / 100] * 2) for t in asked]
        watched.tell(done)
        for trial in done:
            progress.record_trial(trial)


def test_log_gets_a_few_plain_lines(clock, capsys):
    watched, progress = start(n_trials=50)
    run(watched, progress, clock, 50)
    progress.close()
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "\r" not in out
    assert lines[0] == "Search: 50 trials of 2 fits"
    assert lines[1] == "Search: 5/50  best 0.04 (trial 4)  45 s left"
    assert len(lines) == 1 + 9 + 1
    assert lines[-1].startswith("Search: 50 trials in 50 s, best 0.49 (trial 49): x=")


def test_terminal_gets_one_changing_line(clock, terminal):
    watched, progress = start()
    run(watched, progress, clock, 8, at_once=4)
    clock[0] += 1.0
    watched.ask(4)
    line = terminal.screen()[-1]
    assert line.startswith("8/20  best 0.07 (trial 7)  4.5 s left  trying 4, the last x=")
    assert "\n" not in terminal.text
    progress.close()
    assert terminal.screen()[0].startswith("Search: 8 trials in 3.0 s, best 0.07")
    assert "left" not in terminal.screen()[0]


def test_line_is_cut_to_the_width_of_the_terminal(clock, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    watched, progress = start()
    run(watched, progress, clock, 4)
    widths = [len(part) for part in terminal.text.split("\r")]
    assert max(widths) <= 29
    assert terminal.screen()[-1].endswith("…")


def test_line_is_updated_at_most_ten_times_a_second(clock, terminal):
    watched, progress = start(n_trials=1000)
    run(watched, progress, clock, 500, seconds=0.002)
    assert terminal.text.count("\r") <= 1.0 / progress_module._PAUSE + 2


def test_verbose_2_prints_a_line_for_each_trial(clock, terminal):
    watched, progress = start(verbose=2)
    [first, second, third] = watched.ask(3)
    clock[0] += 1
    told = [
        first.complete(0.5, split_scores=[0.4, 0.6], duration=2.0),
        second.prune((0.3, 0.1), split_scores=[0.2, float("nan")], duration=1.0),
        third.fail(duration=0.5, split_results=[SplitResult(error="ValueError: too small\nby 3")]),
    ]
    watched.tell(told)
    for trial in told:
        progress.record_trial(trial)
    lines = terminal.screen()
    assert lines[0].startswith("trial 0: 0.5 ± 0.17  2.0 s  x=")
    assert lines[0].endswith("(best)")
    assert lines[1].startswith("trial 1: pruned after 1 of 2 splits  1.0 s  x=")
    assert lines[2].startswith("trial 2: failed (ValueError: too small)  0.5 s  x=")
    assert lines[3].startswith("3/20  best 0.5 (trial 0)")


def test_time_left_is_estimated_from_finished_trials(clock):
    watched, progress = start(n_trials=10)
    assert progress.seconds_left() is None
    run(watched, progress, clock, 4)
    assert progress.seconds_left() == pytest.approx(6.0)
    [trial] = watched.ask(1)
    clock[0] += 0.5
    watched.record_split(trial.number, 0, SplitResult(scores=0.5))
    assert progress.seconds_left() == pytest.approx(5.5)


def test_time_left_is_limited_by_the_deadline(clock):
    watched, progress = start(n_trials=10, deadline=103.0)
    assert progress.seconds_left() == pytest.approx(3.0)
    run(watched, progress, clock, 1)
    assert progress.seconds_left() == pytest.approx(2.0)
    clock[0] = 110.0
    assert progress.seconds_left() == 0.0


def test_time_left_ignores_trials_of_other_processes(clock):
    watched, progress = start(n_trials=10)
    others = RandomOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0).ask(4)
    for trial in others:
        progress.record_trial(trial.complete(0.5))
    assert progress.seconds_left() is None
    run(watched, progress, clock, 2)
    assert progress.seconds_left() is not None


def test_notebook_gets_one_updated_output(clock, monkeypatch, capsys):
    published = []

    class Publisher:
        def publish(self, data, metadata, transient, update):
            published.append((data["text/plain"], transient["display_id"], update))

    shell = types.SimpleNamespace(kernel=object(), display_pub=Publisher())
    module = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", module)
    watched, progress = start()
    run(watched, progress, clock, 3)
    progress.close()
    assert [update for *_, update in published] == [False] + [True] * (len(published) - 1)
    assert len({name for _, name, _ in published}) == 1
    assert published[-2][0].startswith("2/20  best 0.01 (trial 1)")
    assert published[-1][0] == ""
    assert capsys.readouterr().out.startswith("Search: 3 trials in 3.0 s")


def test_ipython_without_kernel_is_not_a_notebook(clock, monkeypatch, capsys):
    shell = types.SimpleNamespace(kernel=None)
    module = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", module)
    start()
    assert capsys.readouterr().out == "Search: 20 trials of 2 fits\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_format_params_shortens_values():
    text = format_params({"C": 0.123456, "n": 10**6, "kind": "a\nb" * 30, "none": None})
    assert text.startswith("C=0.123, n=1000000, kind=a ba b")
    assert "\n" not in text
    assert text.endswith("…, none=None")


def test_progress_costs_less_than_a_millisecond_per_trial(terminal):
    watched, progress = start(n_trials=2000)
    asked = watched.ask(300)
    begun = time.perf_counter()
    for trial in asked:
        for split in range(2):
            progress.record_fit(trial.number, split, SplitResult(scores=0.5))
        progress.record_trial(trial)
    assert (time.perf_counter() - begun) / 300 < 0.001
