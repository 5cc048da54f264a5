"""A folder on any fsspec file system, in which a file is there whole or not at all.

``with path.open("wb")`` commits half a file when an exception ends it: closing it is what publishes it. Three ways
do not:

- a local file system: written under a hidden name in the same folder, then renamed;
- where an upload stays invisible until ``commit()`` and ``discard()`` ends it: those two;
- everywhere else: written to a local temporary file, then put in one go.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

# Tried: neither an exception nor a kill publishes anything. Others have the methods too, and do not keep the promise:
# fsspec's memory shows a file from its first byte on.
DISCARDING_PROTOCOLS = {"s3", "s3a"}


class Folder:
    """One folder.

    :param path: an ``ObjectStoragePath``, a local path, or an address that fsspec knows.
    """

    def __init__(self, path: Any) -> None:
        import fsspec

        if hasattr(path, "fs") and hasattr(path, "path"):
            self.fs, root = path.fs, path.path
        else:
            self.fs, root = fsspec.core.url_to_fs(str(path))
        self.root: str = root.rstrip("/")
        protocols = {self.fs.protocol} if isinstance(self.fs.protocol, str) else set(self.fs.protocol)
        self._local = "file" in protocols
        self._open: Callable[[Any, str], AbstractContextManager[BinaryIO]] = (
            renamed if self._local else committed if protocols & DISCARDING_PROTOCOLS else staged
        )

    def uri(self, name: str) -> str:
        """Return the full address of a file in the folder."""
        return str(self.fs.unstrip_protocol(self._path(name)))

    def open_read(self, name: str) -> BinaryIO:
        """Open a file for reading.

        :raises FileNotFoundError: if there is none.
        """
        return cast("BinaryIO", self.fs.open(self._path(name), "rb"))

    def read(self, name: str) -> bytes | None:
        """Return what is in a small file, ``None`` if there is no such file."""
        try:
            with self.open_read(name) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Return the names of all files in the folder."""
        try:
            return [str(path).rpartition("/")[2] for path in self.fs.ls(self.root, detail=False, refresh=True)]
        except FileNotFoundError:
            return []

    def write(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for writing: it is there after the block, and after an exception in it there is nothing."""
        self._make()
        return self._open(self.fs, self._path(name))

    def create(self, name: str, data: bytes) -> bool:
        """Write a small file, if there is none of this name.

        :return: whether it was written; of two who try at once one gets ``True``.
        """
        self._make()
        if self._local:
            return create_local(Path(self._path(name)), data)
        try:
            self.fs.pipe_file(self._path(name), data, mode="create")
        except FileExistsError:
            return False
        return True

    def replace(self, name: str, data: bytes) -> None:
        """Write a small file in place of the one there is."""
        with self.write(name) as file:
            file.write(data)

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _make(self) -> None:
        if self._local:
            self.fs.makedirs(self.root, exist_ok=True)


def hidden_prefix(name: str) -> str:
    """Return how the name begins under which a file is written; engines that read a whole folder pass over it."""
    return f".{name}"


def hidden(target: str) -> str:
    """Return a path under which a file can be written, beside the one that it becomes."""
    folder, _, name = target.rpartition("/")
    return f"{folder}/{hidden_prefix(name)}.{secrets.token_hex(4)}.tmp"


@contextmanager
def renamed(_fs: Any, target: str) -> Iterator[BinaryIO]:
    """Write a local file under another name, and rename it when it is whole."""
    temporary = Path(hidden(target))
    try:
        with temporary.open("xb") as file:
            yield file
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def committed(fs: Any, target: str) -> Iterator[BinaryIO]:
    """Upload in pieces that become a file by ``commit()`` alone."""
    file = fs.open(target, "wb", autocommit=False)
    try:
        yield file
        file.close()
        file.commit()
    except BaseException:
        # Before it is closed its pieces are not all known, and discard() would leave some.
        try:
            file.close()
        finally:
            file.discard()
        raise


@contextmanager
def staged(fs: Any, target: str) -> Iterator[BinaryIO]:
    """Write to the local disk, put the file when it is whole, and see that all of it has arrived."""
    with TemporaryDirectory(prefix="aegis-") as folder:
        temporary = Path(folder) / "part"
        with temporary.open("xb") as file:
            yield file
        size = temporary.stat().st_size
        fs.put_file(str(temporary), target)
        fs.invalidate_cache()
        if (arrived := fs.info(target)["size"]) != size:
            raise OSError(f"{target} has {arrived} of {size} bytes after it was put there.")


def create_local(target: Path, data: bytes) -> bool:
    """Write a local file whole, if there is none of this name."""
    temporary = Path(hidden(str(target)))
    try:
        temporary.write_bytes(data)
        try:
            target.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError:  # a mounted bucket has no hard links
            if target.exists():
                return False
            temporary.replace(target)
        return True
    finally:
        temporary.unlink(missing_ok=True)
