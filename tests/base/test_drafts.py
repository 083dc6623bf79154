"""A draft is locked while its process lives; the next save to that place clears those of dead processes alone."""

import subprocess
import sys

import pytest

from sdexplore.base.atomic_files import draft_of, named, save, write
from sdexplore.base.errors import PublishError, SdexploreError

WRITER = """
import sys
from pathlib import Path
from sdexplore.base.atomic_files import draft_of
with draft_of(Path(sys.argv[1])) as draft:
    draft.write_bytes(b"half of it")
    print(draft.name, flush=True)
    sys.stdin.read()
"""
SAVER = """
import sys
from pathlib import Path
from sdexplore.base.atomic_files import write
for turn in range(150):
    write(Path(sys.argv[1]), sys.argv[2].encode() * 5000)
"""


def parts(folder):
    return sorted(one.name for one in folder.iterdir() if one.suffix == ".part")


def test_the_draft_of_a_living_process_is_left_and_that_of_a_dead_one_cleared(tmp_path):
    target = tmp_path / "cat.safetensors"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdin=-1, stdout=-1, text=True) as writer:
        name = writer.stdout.readline().strip()
        write(target, b"another's")
        write(tmp_path / "dog.safetensors", b"of another name")
        assert parts(tmp_path) == [name]
        writer.kill()
        writer.wait()
    assert parts(tmp_path) == [name]
    write(tmp_path / "dog.safetensors", b"of another name")
    assert parts(tmp_path) == [name]
    write(target, b"new")
    assert parts(tmp_path) == []
    assert target.read_bytes() == b"new"


def test_files_that_only_look_like_drafts_are_left(tmp_path):
    for name in (".cat.png.part", ".cat.png.backup.part", "cat.png.abcdefgh.part", ".cat.png.abcdefgh"):
        (tmp_path / name).write_bytes(b"the user's")
    (tmp_path / ".cat.png.abcdefgh.part").mkdir()
    write(tmp_path / "cat.png", b"new")
    assert len(list(tmp_path.iterdir())) == 6


def test_three_processes_that_save_to_one_file_do_not_disturb_each_other(tmp_path):
    target = tmp_path / "cat.safetensors"
    command = [sys.executable, "-c", SAVER, str(target)]
    running = [subprocess.Popen([*command, letter], stderr=-1, text=True) for letter in "abc"]
    assert [one.communicate()[1] for one in running] == ["", "", ""]
    assert {one.returncode for one in running} == {0}
    assert parts(tmp_path) == []
    assert target.read_bytes() in {letter * 5000 for letter in (b"a", b"b", b"c")}


def test_nested_drafts_of_one_process_do_not_clear_each_other(tmp_path):
    target = tmp_path / "cat.png"
    with draft_of(target) as outer:
        outer.write_bytes(b"outer")
        with draft_of(target) as inner:
            inner.write_bytes(b"inner")
        assert target.read_bytes() == b"inner"
    assert target.read_bytes() == b"outer"


@pytest.mark.parametrize("path", ["a\0b.png", "\ud800.png"])
def test_what_names_no_file_is_refused_in_our_words(path):
    with pytest.raises(SdexploreError):
        named(path)


def test_a_forbidden_place_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "file" / "a.png", tmp_path / ("x" * 300 + ".png")):
        with pytest.raises(PublishError) as raised:
            save(target, b"", PublishError)
        assert str(target) in str(raised.value)
