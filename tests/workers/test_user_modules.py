"""The files of the user's modules: when they count as changed."""

import importlib
import os
import sys
import time
import zipfile

import pytest

from sklearn_lepton._workers.user_modules import UserModules

NAME = "module_of_a_user"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of modules, none of which is loaded."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop(NAME, None)


def write(folder, text, age=10.0):
    file = folder / f"{NAME}.py"
    file.write_text(text, encoding="utf-8")
    os.utime(file, (time.time() - age,) * 2)
    return file


def test_module_has_changed_if_its_file_differs_since_it_was_noted(folder):
    modules = UserModules()
    modules.note()
    file = write(folder, "VALUE = 1")
    importlib.import_module(NAME)
    write(folder, "VALUE = 22")
    assert not modules.have_changed()  # it is not known to be loaded
    modules.note(time.time_ns())
    assert not modules.have_changed()
    write(folder, "VALUE = 333")
    assert modules.have_changed()
    write(folder, "VALUE = 22", age=9.0)
    modules.note(time.time_ns())
    assert modules.have_changed()  # another note does not make it the one that was loaded
    file.unlink()
    assert modules.have_changed()


def test_file_that_changes_while_a_fit_runs_counts_as_changed(folder):
    modules = UserModules()
    modules.note()
    since = time.time_ns() - 5_000_000_000
    write(folder, "VALUE = 1", age=2.0)
    importlib.import_module(NAME)
    modules.note(since)
    assert modules.have_changed()


def test_module_in_an_archive_does_not_count_as_changed(folder, monkeypatch):
    archive = folder / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"{NAME}.py", "VALUE = 1")
    monkeypatch.syspath_prepend(str(archive))
    modules = UserModules()
    importlib.import_module(NAME)
    modules.note(0)
    assert str(archive) in sys.modules[NAME].__file__
    assert not modules._states.keys() & {sys.modules[NAME].__file__}


def test_installed_modules_are_not_looked_at():
    modules = UserModules()
    modules.note()
    assert not any(os.sep + "numpy" + os.sep in file for file in modules._states)
