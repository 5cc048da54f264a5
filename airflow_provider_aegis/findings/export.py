"""An export that is there whole or not at all.

1. A try claims the folder with ``_export.json``, which says whose it is. Two exports into one folder are thereby
   noticed before anything is read, and so is a folder that cannot be written.
2. It writes its parts. Each has the try's token in its name, so no two tries share one.
3. It creates ``_manifest.json``, which names its own parts and no others. Creating it is exclusive: of a try and a
   second one that took over too early one alone succeeds. A reader trusts the manifest, and nothing without it.
4. It deletes the claim, and what earlier tries left.

A try that is killed leaves its claim and parts that no manifest names. The next one of the same owner takes the claim
over; where the killed one had come as far as its manifest, the export is finished.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, BinaryIO

from airflow_provider_aegis.findings.manifest import MANIFEST_NAME, Manifest, ManifestError, read_manifest
from airflow_provider_aegis.findings.storage import Folder, hidden_prefix

CLAIM_NAME = "_export.json"


class ExportError(Exception):
    """An export that cannot be written; the text names where and why."""


class ExportConflictError(ExportError):
    """Another export is in the folder, or at work in it."""


class Export:
    """One try to write an export; a context manager that on an exception leaves nothing of it.

    :param path: the folder: an ``ObjectStoragePath``, a local path, or an address that fsspec knows.
    :param owner: what is the same for all tries of one export, and for no other export (the run, the task).
    """

    def __init__(self, path: Any, *, owner: str) -> None:
        self.folder = Folder(path)
        self.owner = owner
        self.token = secrets.token_hex(6)
        self.finished: Manifest | None = None
        self._earlier: list[str] = []
        self._committing = False

    @property
    def uri(self) -> str:
        """Where the manifest is, or will be."""
        return self.folder.uri(MANIFEST_NAME)

    @property
    def part_prefix(self) -> str:
        """How the names of this try's parts begin."""
        return f"part-{self.token}"

    def __enter__(self) -> Export:
        """Claim the folder; ``finished`` is the manifest where an earlier try of this owner had come to its end.

        :raises ExportConflictError: if the folder has, or is about to have, an export of another owner.
        :raises ExportError: if it cannot be written.
        """
        try:
            self._claim()
            self.finished = self._manifest()
            if self.finished:
                self._clean()
        except (OSError, ManifestError) as error:
            raise ExportError(f"Cannot write an export to {self.folder.uri('')}: {error}") from error
        if self.finished and self.finished.owner != self.owner:
            raise ExportConflictError(
                f"{self.uri} is the export of {self.finished.owner}. Give each run a folder of its own, "
                f"for instance by run_id={{{{ run_id }}}} in its path."
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Delete what this try has written, unless it was finished."""
        # A manifest may be on its way although its writing failed: parts that it may name stay, for the next try.
        if not self._committing and not self.finished:
            with suppress(OSError):
                self._clean()

    def open_part(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a part for writing; its name has to begin with ``part_prefix``."""
        if not name.startswith(self.part_prefix):
            raise ValueError(f"The part {name!r} is not this try's: its name does not begin with {self.part_prefix}.")
        return self.folder.write(name)

    def commit(self, **details: Any) -> Manifest:
        """Write the manifest, by which the parts become an export.

        :param details: the fields of :class:`Manifest` but ``uri``, ``owner`` and ``created_ms``.
        :return: the manifest.
        :raises ExportConflictError: if another try took over meanwhile.
        """
        manifest = Manifest(uri=self.uri, owner=self.owner, created_ms=time.time_ns() // 1_000_000, **details)
        if self._claimed().get("token") != self.token:
            raise ExportConflictError(f"Another try took over {self.uri}; this one is given up.")
        self._committing = True
        if not self.folder.create(MANIFEST_NAME, manifest.to_json()) and self._manifest() != manifest:
            self._committing = False
            raise ExportConflictError(f"{self.uri} was written by another export meanwhile; this one is given up.")
        self.finished = manifest
        # The export is whole: what cannot be cleared away is no reason to fail.
        with suppress(OSError):
            self._clean()
        return manifest

    def _claim(self) -> None:
        mine = {
            "owner": self.owner,
            "token": self.token,
            "earlier": self._earlier,
            "since_ms": time.time_ns() // 1_000_000,
        }
        if self.folder.create(CLAIM_NAME, json.dumps(mine).encode()):
            return
        claimed = self._claimed()
        if claimed.get("owner", self.owner) != self.owner:
            raise ExportConflictError(
                f"{claimed['owner']} is exporting to {self.folder.uri('')}. Give each run a folder of its own; "
                f"if that one is no longer running, delete {self.folder.uri(CLAIM_NAME)}."
            )
        self._earlier = [*claimed.get("earlier", []), *filter(None, [claimed.get("token")])]
        self.folder.replace(CLAIM_NAME, json.dumps({**mine, "earlier": self._earlier}).encode())

    def _claimed(self) -> dict[str, Any]:
        try:
            claimed = json.loads(self.folder.read(CLAIM_NAME) or b"{}")
        except ValueError:
            claimed = {}
        return claimed if isinstance(claimed, dict) else {}

    def _manifest(self) -> Manifest | None:
        data = self.folder.read(MANIFEST_NAME)
        return None if data is None else read_manifest(data, uri=self.uri)

    def _clean(self) -> None:
        """Delete the parts that no manifest can come to name, and the claim if it is this try's."""
        # An earlier try may still be alive, and a step away from its manifest, until there is a manifest.
        left = [f"part-{token}-" for token in (self.token, *(self._earlier if self.finished else ()))]
        if self.finished:
            left += [hidden_prefix(MANIFEST_NAME), hidden_prefix(CLAIM_NAME)]
        named = {part.name for part in self.finished.parts} if self.finished else set()
        for name in self.folder.names():
            if name not in named and name.startswith((*left, *map(hidden_prefix, left))):
                self.folder.delete(name)
        if (self.finished or not self._earlier) and self._claimed().get("token") == self.token:
            self.folder.delete(CLAIM_NAME)
