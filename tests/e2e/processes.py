"""Find and end processes, with the kernel's help where it is Linux."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which forked it, is gone."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none gets out of sight."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap() -> None:
    """Collect the children that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def alive(pid: int) -> bool:
    """Tell whether the process runs; one that ended and waits to be collected does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def session_members(session: int) -> list[int]:
    """Return the processes of a session that are alive."""
    members = []
    for pid in psutil.pids():
        with suppress(OSError):
            if os.getsid(pid) == session and alive(pid):
                members.append(pid)
    return members


def titled(text: str, session: int) -> dict[int, str]:
    """Return the processes of a session, with their titles, that carry `text` in it."""
    found = {}
    for pid in session_members(session):
        with suppress(psutil.Error):
            title = " ".join(psutil.Process(pid).cmdline())
            if text in title:
                found[pid] = title
    return found


def send(pids: Iterable[int], sig: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, sig)


def gone(pids: Iterable[int], timeout: float, *, collect: bool = False) -> bool:
    """Wait for the processes to end, and tell whether all did; `collect` them if they are this process's children."""
    left = list(pids)
    deadline = time.monotonic() + timeout
    while True:
        if collect:
            reap()
        left = [pid for pid in left if alive(pid)]
        if not left or time.monotonic() > deadline:
            return not left
        time.sleep(0.02)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
