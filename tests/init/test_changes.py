"""Files are written all together, or not at all."""

from pathlib import Path

import pytest

from pytest_crucible import UsageError
from pytest_crucible.scaffold import draft as changes
from pytest_crucible.scaffold.draft import Draft, FileChange, write


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """If one file cannot be written, no other has been changed, and no folder or scrap is left."""
    (tmp_path / "a.txt").write_text("before")
    blocked = tmp_path / "blocked"
    stage = changes._stage

    def refuse(path: Path, text: str) -> Path:
        if path.parent == blocked:
            raise PermissionError(13, "Permission denied", str(path))
        return stage(path, text)

    monkeypatch.setattr(changes, "_stage", refuse)
    wanted = [FileChange(tmp_path / "a.txt", "before", "after"), FileChange(blocked / "b.txt", None, "new")]
    with pytest.raises(UsageError, match=r"b\.txt cannot be written: Permission denied") as refused:
        write(wanted)
    assert "Nothing has been changed" in refused.value.why
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_mode_and_line_ends_stay(tmp_path: Path):
    """A file keeps its permissions and its carriage returns; a new one has the usual permissions."""
    old, new = tmp_path / "old.toml", tmp_path / "folder" / "new.py"
    old.write_bytes(b"a = 1\r\n")
    old.chmod(0o640)
    draft = Draft(tmp_path)
    assert draft.read(old) == "a = 1\n"
    draft.put(old, "a = 1\nb = 2\n")
    draft.put(new, "x = 1\n")
    write(draft.changes())
    assert old.read_bytes() == b"a = 1\r\nb = 2\r\n"
    assert old.stat().st_mode & 0o777 == 0o640
    usual = tmp_path / "usual"
    usual.touch()
    assert new.stat().st_mode == usual.stat().st_mode


def test_files_are_deleted_last(tmp_path: Path):
    """What is moved elsewhere is there before its old place goes."""
    old, new = tmp_path / "pytest.ini", tmp_path / "pytest.toml"
    old.write_text("[pytest]\n")
    draft = Draft(tmp_path)
    draft.put(old, None)
    draft.put(new, "[pytest]\n")
    write(draft.changes())
    assert [path.name for path in tmp_path.iterdir()] == ["pytest.toml"]


def test_the_diff_is_one_that_patch_knows(tmp_path: Path):
    """New, changed, deleted and empty files are each shown."""
    (tmp_path / "a").write_text("1\n2")
    draft = Draft(tmp_path)
    draft.put(tmp_path / "a", "1\n3\n")
    draft.put(tmp_path / "b", "new\n")
    draft.put(tmp_path / "c", "")
    shown = [change.diff(tmp_path) for change in draft.changes()]
    assert shown == [
        "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n 1\n-2\n\\ No newline at end of file\n+3\n",
        "--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+new\n",
        "new, empty: c\n",
    ]


def test_a_file_that_is_no_text(tmp_path: Path):
    """A file in another encoding is named, and nothing is written over it."""
    (tmp_path / "setup.cfg").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"setup\.cfg is not UTF-8"):
        Draft(tmp_path).read(tmp_path / "setup.cfg")


def test_a_link_stays_one(tmp_path: Path):
    """What a link leads to is written, and the link is not replaced by a file."""
    real, link = tmp_path / "real.toml", tmp_path / "pyproject.toml"
    real.write_text("a = 1\n")
    link.symlink_to(real.name)
    draft = Draft(tmp_path)
    draft.put(link, "a = 2\n")
    write(draft.changes())
    assert link.is_symlink()
    assert real.read_text() == "a = 2\n"


def test_lines_that_stay_keep_every_byte(tmp_path: Path):
    """A mark of byte order and mixed line ends are no part of the diff, and are not changed either."""
    path = tmp_path / "conftest.py"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\nc = 3\r\n")
    draft = Draft(tmp_path)
    assert draft.read(path) == "a = 1\nb = 2\nc = 3\n"
    draft.put(path, "a = 1\nb = 2\nc = 4\nd = 5")
    write(draft.changes())
    assert path.read_bytes() == b"\xef\xbb\xbfa = 1\r\nb = 2\nc = 4\r\nd = 5"


def test_a_folder_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The error names the file that was to be written, and not the scrap beside it."""

    def refuse(**words: object) -> None:
        raise PermissionError(13, "Permission denied", f"{words['dir']}/{words['prefix']}xyz")

    monkeypatch.setattr(changes.tempfile, "mkstemp", refuse)
    with pytest.raises(UsageError) as refused:
        write([FileChange(tmp_path / "pytest.toml", None, "[pytest]\n")])
    assert refused.value.found == f"{tmp_path / 'pytest.toml'} cannot be written: Permission denied."
