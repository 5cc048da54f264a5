"""Faults as data, what each one does to an answer, and the plan that says which request meets which."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_provider_aegis.emulator.errors import EmulatedError, envelope
from airflow_provider_aegis.emulator.http import HttpResponse, Request
from airflow_provider_aegis.emulator.settings import Int32, Seconds, check

MEBIBYTE = 1024 * 1024
HTML = b"<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
JSON = b'{"RequestId":"00000000-0000-0000-0000-000000000000","CanCreate":true,"TotalCount":44}'
ANYWHERE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with a request. Make one with the methods below.

    :param kind: what comes in place of the answer, a name in the table ``KINDS``.
    :param after: whether the request is carried out all the same, so that only its answer is lost.
    :param delay: seconds before the request is carried out, or with ``after`` before its answer is sent.
    :param size: length of a body in bytes.
    :param location: where a redirect points.
    """

    kind: str
    after: bool = False
    delay: float = 0.0
    code: str = ""
    status: int | None = None
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    location: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not a kind of fault; there are: {', '.join(KINDS)}")
        check("delay", self.delay, Seconds)
        check("size", self.size, Int32)

    @classmethod
    def error(
        cls,
        code: str,
        *,
        status: int | None = None,
        message: str | None = None,
        headers: Mapping[str, str] | None = None,
        after: bool = False,
        delay: float = 0.0,
    ) -> Fault:
        """Answer with an error code.

        :param status: the HTTP status, that of the code where not given; it may be 200.
        :param message: the words, those of the code where not given.
        :param headers: further headers, as ``x-acs-retry-after``.
        """
        return cls(
            kind="error", code=code, status=status, message=message, headers=headers or {}, after=after, delay=delay
        )

    @classmethod
    def throttled(cls, *, retry_after: float | None = None, code: str = "Throttling.User") -> Fault:
        """Answer that there were too many requests.

        :param retry_after: seconds that the answer asks to wait.
        """
        headers = {} if retry_after is None else {"x-acs-retry-after": str(round(retry_after * 1000))}
        return cls.error(code, headers=headers)

    @classmethod
    def html(cls, *, status: int = 502, after: bool = False) -> Fault:
        """Answer with a page, as a gateway does."""
        return cls(kind="html", status=status, after=after)

    @classmethod
    def broken(cls, *, status: int = 200, after: bool = False) -> Fault:
        """Answer with what is not JSON."""
        return cls(kind="broken", status=status, after=after)

    @classmethod
    def truncated(cls, *, after: bool = False) -> Fault:
        """Answer with the first half of the JSON, as if it were all."""
        return cls(kind="truncated", after=after)

    @classmethod
    def not_object(cls, *, status: int = 200, after: bool = False) -> Fault:
        """Answer with JSON that is a list."""
        return cls(kind="not_object", status=status, after=after)

    @classmethod
    def too_long(cls, *, size: int = 8 * MEBIBYTE + 1, after: bool = False) -> Fault:
        """Answer with valid JSON of a great length.

        :param size: bytes of the body.
        """
        return cls(kind="too_long", size=size, after=after)

    @classmethod
    def redirect(cls, location: str = "http://elsewhere.invalid/", *, status: int = 302, after: bool = False) -> Fault:
        """Answer with a redirect."""
        return cls(kind="redirect", location=location, status=status, after=after)

    @classmethod
    def reset(cls, *, after: bool = False, delay: float = 0.0) -> Fault:
        """Reset the connection.

        :param after: whether the request takes effect before.
        """
        return cls(kind="reset", after=after, delay=delay)

    @classmethod
    def halfway(cls, *, after: bool = False) -> Fault:
        """Close the connection in the middle of the answer's body."""
        return cls(kind="halfway", after=after)

    @classmethod
    def delayed(cls, seconds: float, *, after: bool = False) -> Fault:
        """Let the true answer wait.

        :param after: whether the request is carried out before the wait, instead of after it.
        """
        return cls(kind="nothing", delay=seconds, after=after)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fault:
        """Read a fault as :meth:`to_json` wrote it.

        :raises ValueError: if it is not one.
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise ValueError(f"this is not a fault: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Write it as what JSON can hold."""
        return asdict(self)

    @property
    def lets_through(self) -> bool:
        """Whether the request is carried out."""
        return self.after or self.kind == "nothing"

    def spoil(self, request: Request, answer: HttpResponse | None) -> HttpResponse:
        """Make the answer that is sent.

        :param answer: the true one, if the request was carried out.
        """
        return KINDS[self.kind](_Case(self, request, answer))


@dataclass(frozen=True, slots=True)
class _Case:
    fault: Fault
    request: Request
    answer: HttpResponse | None

    def json(self, body: bytes) -> HttpResponse:
        headers = {"Content-Type": "application/json;charset=utf-8"}
        return HttpResponse(status=self.fault.status or 200, body=body, headers=headers)

    def likely(self) -> HttpResponse:
        """The true answer, or one that could be it."""
        return self.answer or self.json(JSON)


def _nothing(case: _Case) -> HttpResponse:
    assert case.answer is not None
    return case.answer


def _error(case: _Case) -> HttpResponse:
    fault = case.fault
    return envelope(EmulatedError(fault.code, fault.message, status=fault.status, headers=fault.headers), case.request)


def _html(case: _Case) -> HttpResponse:
    return HttpResponse(status=case.fault.status or 502, body=HTML, headers={"Content-Type": "text/html"})


def _truncated(case: _Case) -> HttpResponse:
    whole = case.likely()
    return replace(whole, body=whole.body[: len(whole.body) // 2])


def _too_long(case: _Case) -> HttpResponse:
    opening, closing = b'{"RequestId":"', b'"}'
    return case.json(opening + b"0" * (case.fault.size - len(opening) - len(closing)) + closing)


def _redirect(case: _Case) -> HttpResponse:
    return HttpResponse(status=case.fault.status or 302, headers={"Location": case.fault.location})


# Adding a fault is a line here.
KINDS: dict[str, Callable[[_Case], HttpResponse]] = {
    "nothing": _nothing,
    "error": _error,
    "html": _html,
    "broken": lambda case: case.json(b"{RequestId: ,]"),
    "truncated": _truncated,
    "not_object": lambda case: case.json(b'["RequestId"]'),
    "too_long": _too_long,
    "redirect": _redirect,
    "reset": lambda _: HttpResponse(hangup="reset"),
    "halfway": lambda case: replace(case.likely(), hangup="halfway"),
}
NO_FAULT = Fault(kind="nothing")


@dataclass(slots=True)
class _Injection:
    action: str
    fault: Fault
    times: int | None
    until: float | None
    probability: float


class FaultPlan:
    """Which requests meet a fault. Its chances come from a fixed seed, so that a run can be repeated."""

    def __init__(self) -> None:
        self._rng = random.Random(0)
        self._injections: list[_Injection] = []

    def inject(
        self, action: str, fault: Fault, *, times: int | None, until: float | None, probability: float = 1.0
    ) -> None:
        """Add a fault; of several for the same action the one added first comes first.

        :param action: the operation that it hits, ``*`` for any.
        :param times: how many requests it hits; ``None`` for all.
        :param until: when it ends, ``None`` for never.
        :param probability: the share of requests that it hits.
        """
        self._injections.append(_Injection(action, fault, times, until, probability))

    def pick(self, action: str, *, now: float) -> Fault:
        """Say what the next request of an action meets; nothing, mostly."""
        self._injections = [
            injection
            for injection in self._injections
            if injection.times != 0 and (injection.until is None or now < injection.until)
        ]
        for injection in self._injections:
            if injection.action in (action, ANYWHERE) and self._rng.random() < injection.probability:
                if injection.times is not None:
                    injection.times -= 1
                return injection.fault
        return NO_FAULT
