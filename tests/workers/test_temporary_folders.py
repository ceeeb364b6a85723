"""Temporary folders: where they are made, and that none of a killed process stays."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from sklearn_lepton._workers import temporary_folders as temporary_folders_module
from sklearn_lepton._workers.serialization import MemmapFolder, SharedContext
from sklearn_lepton._workers.temporary_folders import (
    list_places,
    make_temporary_folder,
    remove_folder,
    remove_stale_folders,
)


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    return tmp_path


@pytest.fixture
def opened():
    """Open folders that go with the test."""
    made = []

    def make(**options):
        made.append(make_temporary_folder(**options))
        return made[-1]

    yield make
    for folder in made:
        remove_folder(folder)


def test_folders_of_killed_processes_are_removed_by_the_next_search(place, opened):
    stale = opened()
    os.close(temporary_folders_module._made.pop(stale))  # as the system does
    own = opened()
    assert [path.name for path in place.iterdir()] == [own.name]


def test_folders_of_running_processes_stay(place, opened, monkeypatch):
    own = opened()
    (own / "data").write_text("data")
    remove_stale_folders(place)
    with monkeypatch.context() as patch:
        patch.setattr(temporary_folders_module, "_made", {})  # as another process sees it
        remove_stale_folders(place)
    assert sorted(path.name for path in own.iterdir()) == ["data", "lock"]


def stale_folder(place, name="sklearn_lepton-1-abc", owner=None):
    folder = place / name
    folder.mkdir()
    (folder / "data").write_text("data")
    owner = temporary_folders_module.platform.node() if owner is None else owner
    (folder / "lock").write_text(owner)
    return folder


def test_other_folders_stay(place, tmp_path_factory, monkeypatch):
    target = stale_folder(tmp_path_factory.mktemp("elsewhere"))
    (place / "sklearn_lepton-2-link").symlink_to(target)
    starting = place / "sklearn_lepton-3-starting"
    starting.mkdir()
    (starting / "lock.part").touch()
    elsewhere = stale_folder(place, "sklearn_lepton-4-elsewhere", "another machine")
    others = stale_folder(place, "other-5")
    linked = place / "sklearn_lepton-6-linked"
    linked.mkdir()
    (linked / "lock").symlink_to(target / "lock")
    (place / "sklearn_lepton-7-file").touch()
    piped = place / "sklearn_lepton-8-piped"
    piped.mkdir()
    os.mkfifo(piped / "lock")
    before = sorted(place.rglob("*"))
    remove_stale_folders(place)
    assert sorted(place.rglob("*")) == before
    assert (target / "data").exists()
    assert elsewhere.exists()
    assert others.exists()
    stale = stale_folder(place)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    remove_stale_folders(place)  # of another user
    assert stale.exists()
    monkeypatch.undo()
    remove_stale_folders(place)
    assert not stale.exists()


def test_file_system_without_locks_keeps_its_folders(place, opened, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(temporary_folders_module, "lock", fail)
    own = opened()
    stale = stale_folder(place)
    remove_stale_folders(place)
    assert own.is_dir()
    assert stale.is_dir()


# ---------------------------------------------------------------------- places


@pytest.mark.parametrize("given", ["relative", "~/tmp", "missing/deep", "file"])
def test_any_joblib_temp_folder_is_accepted(monkeypatch, tmp_path, opened, given):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", given)
    folder = opened(in_memory=True)
    assert folder.is_absolute()
    assert (tmp_path in folder.parents) == (given != "file")
    assert given != "~/tmp" or folder.parent == tmp_path / "tmp"
    monkeypatch.chdir("/")
    remove_folder(folder)
    assert not folder.exists()


@pytest.mark.parametrize("chosen", ["missing", "file"])
def test_any_system_temp_folder_is_accepted(monkeypatch, tmp_path, opened, chosen):
    monkeypatch.delenv("JOBLIB_TEMP_FOLDER", raising=False)
    monkeypatch.setattr(temporary_folders_module.tempfile, "tempdir", None)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TMPDIR", str(tmp_path / chosen))
    assert opened().is_dir()


def test_joblib_temp_folder_comes_first(place, monkeypatch):
    places = list_places(in_memory=True)
    assert places[0] == place
    assert len(places) >= 2
    monkeypatch.delenv("JOBLIB_TEMP_FOLDER")
    assert list_places(in_memory=True) == places[1:]


def test_small_or_closed_shared_memory_is_not_used(monkeypatch):
    monkeypatch.setattr(temporary_folders_module, "_SHARED_MEMORY", Path("/nowhere"))
    assert Path("/nowhere") not in list_places(in_memory=True)
    monkeypatch.setattr(temporary_folders_module, "_SHARED_MEMORY", Path("/"))
    monkeypatch.setattr(temporary_folders_module, "_MIN_SHARED_MEMORY", 10**30)
    assert Path("/") not in list_places(in_memory=True)


def fill_disk(path, *args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_place_is_replaced_by_the_next(monkeypatch, tmp_path):
    full, roomy = tmp_path / "full", tmp_path / "roomy"
    monkeypatch.setattr(temporary_folders_module, "list_places", lambda *, in_memory: [full, roomy])
    save = np.save

    def save_if_room(path, *args, **kwargs):
        if full in path.parents:
            fill_disk(path)
        save(path, *args, **kwargs)

    monkeypatch.setattr(np, "save", save_if_room)
    folder = MemmapFolder(SharedContext([np.zeros(100_000)], None))
    folder.open()
    assert folder.path.parent == roomy
    assert list(full.iterdir()) == []
    folder.remove()
    assert list(roomy.iterdir()) == []


def test_error_names_lack_of_room(place, monkeypatch):
    monkeypatch.setattr(temporary_folders_module, "list_places", lambda *, in_memory: [place])
    monkeypatch.setattr(np, "save", fill_disk)
    with pytest.raises(OSError, match="No space left.*JOBLIB_TEMP_FOLDER") as caught:
        MemmapFolder(SharedContext([np.zeros(100_000)], None)).open()
    assert caught.value.errno == errno.ENOSPC
    assert list(place.iterdir()) == []


def test_folder_that_could_not_be_filled_is_removed(place):
    def fail(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_temporary_folder(fill=fail)
    assert list(place.iterdir()) == []


# ----------------------------------------------------- as other systems answer


def test_folder_whose_files_are_open_is_removed_once_they_are_closed(monkeypatch, place):
    """Windows removes no open file."""
    folder = make_temporary_folder()
    remove, attempts = shutil.rmtree, []

    def remove_closed(path, **options):
        attempts.append(path)
        if len(attempts) > 2:
            remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", remove_closed)
    remove_folder(folder)
    assert not folder.exists()
    assert len(attempts) == 3


def test_folder_that_cannot_be_removed_is_left_to_the_tracker(monkeypatch, place):
    folder = make_temporary_folder()
    forgotten = []
    with monkeypatch.context() as patch:
        patch.setattr(temporary_folders_module, "_REMOVAL_PAUSES", (0.0, 0.0))
        patch.setattr(shutil, "rmtree", lambda path, **options: None)
        patch.setattr(temporary_folders_module, "untrack_folder", forgotten.append)
        remove_folder(folder)
    assert folder.exists()
    assert forgotten == []
