"""Storage: a file is there whole or not at all, on a local disk, where uploads are committed, and elsewhere."""

from __future__ import annotations

import io
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractFileSystem

from airflow_provider_aegis.findings.storage import Folder


class Upload(io.BytesIO):
    """Pieces that nobody sees before they are committed, as s3fs writes them."""

    def __init__(self, fs: Uploads, path: str) -> None:
        super().__init__()
        self.fs, self.path, self.data = fs, path, b""
        fs.unfinished.add(path)

    def close(self) -> None:
        if not self.closed:
            self.data = self.getvalue()
        super().close()

    def commit(self) -> None:
        assert self.closed
        self.fs.files[self.path] = self.data
        self.fs.unfinished.discard(self.path)

    def discard(self) -> None:
        assert self.closed
        self.fs.unfinished.discard(self.path)


class Uploads(AbstractFileSystem):  # type: ignore[misc]
    """A store with uploads, which holds its caller to ``autocommit=False``."""

    protocol = ("s3", "s3a")
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.unfinished: set[str] = set()

    def open(self, path: str, mode: str = "rb", autocommit: bool = True, **_: Any) -> Any:
        if mode == "rb":
            if path not in self.files:
                raise FileNotFoundError(path)
            return io.BytesIO(self.files[path])
        assert not autocommit
        return Upload(self, path)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        if mode == "create" and path in self.files:
            raise FileExistsError(path)
        self.files[path] = value

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[str]:
        return [name for name in self.files if name.startswith(f"{path}/")]

    def rm_file(self, path: str) -> None:
        if path not in self.files:
            raise FileNotFoundError(path)
        del self.files[path]


class At:
    """A path as Airflow hands it over: with its file system attached."""

    def __init__(self, fs: Any, path: str) -> None:
        self.fs, self.path = fs, path


@pytest.fixture(params=["local", "memory", "uploads"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "local":
        return Folder(tmp_path / "export")
    if request.param == "memory":
        MemoryFileSystem.store.clear()
        return Folder("memory://export")
    return Folder(At(Uploads(), "bucket/export/"))


def test_a_file_is_there_after_the_block_and_not_before(folder: Folder) -> None:
    with folder.write("part") as file:
        file.write(b"one")
        assert folder.read("part") is None
        file.write(b"two")
    assert folder.read("part") == b"onetwo"
    assert folder.names() == ["part"]


def fail(folder: Folder, name: str, data: bytes, error: BaseException) -> None:
    with folder.write(name) as file:
        file.write(data)
        raise error


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_exception_leaves_nothing(folder: Folder, error: BaseException) -> None:
    with pytest.raises(type(error)):
        fail(folder, "part", b"x" * 20_000_000, error)
    assert folder.names() == []
    assert folder.read("part") is None
    assert not getattr(folder.fs, "unfinished", None)


def test_an_exception_leaves_the_file_that_was_there(folder: Folder) -> None:
    folder.replace("claim", b"old")
    with pytest.raises(OSError, match="disk full"):
        fail(folder, "claim", b"new", OSError("disk full"))
    assert folder.read("claim") == b"old"
    folder.replace("claim", b"new")
    assert folder.read("claim") == b"new"


def test_a_file_is_created_once(folder: Folder) -> None:
    assert folder.create("claim", b"first")
    assert not folder.create("claim", b"second")
    assert folder.read("claim") == b"first"
    assert folder.names() == ["claim"]


def test_of_many_who_create_a_local_file_at_once_one_succeeds(tmp_path: Path) -> None:
    won, start = list[bytes](), threading.Barrier(8)

    def create(data: bytes) -> None:
        start.wait()
        if Folder(tmp_path).create("claim", data):
            won.append(data)

    threads = [threading.Thread(target=create, args=(b"%d" % number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [(tmp_path / "claim").read_bytes()]


def test_a_local_file_is_created_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert Folder(tmp_path).create("claim", b"first")
    assert not Folder(tmp_path).create("claim", b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_deleting_what_is_not_there_is_no_error(folder: Folder) -> None:
    folder.delete("nothing")
    folder.replace("file", b"")
    folder.delete("file")
    assert folder.names() == []


def test_a_folder_that_does_not_exist_yet_is_empty(folder: Folder) -> None:
    assert folder.names() == []
    assert folder.read("file") is None


def test_a_file_that_arrives_short_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    MemoryFileSystem.store.clear()
    folder = Folder("memory://export")
    monkeypatch.setattr(MemoryFileSystem, "put_file", lambda self, source, target: self.pipe_file(target, b"x"))
    with pytest.raises(OSError, match="has 1 of 4 bytes"), folder.write("part") as file:
        file.write(b"four")


def test_a_file_being_written_is_hidden_from_engines_that_read_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.write("part.parquet"):
        assert [path.name[0] for path in tmp_path.iterdir()] == ["."]


@pytest.mark.parametrize("path", ["lake/export", "file://lake/export"])
def test_an_address_names_the_file_in_full(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Folder("memory://lake/export").uri("part") == "memory:///lake/export/part"
    assert Folder(tmp_path / "export").uri("part") == f"file://{tmp_path}/export/part"
    assert Folder(path).uri("part").startswith("file:///")


def test_a_path_of_airflow_is_written_through_its_own_file_system(tmp_path: Path) -> None:
    module = import_module("airflow.sdk" if find_spec("airflow.sdk") else "airflow.io.path")
    folder = Folder(module.ObjectStoragePath(f"file://{tmp_path}/export"))
    assert isinstance(folder.fs, LocalFileSystem)
    folder.replace("file", b"data")
    assert (tmp_path / "export" / "file").read_bytes() == b"data"
    fs = fsspec.filesystem("memory")
    assert Folder(At(fs, "/bucket")).fs is fs
