"""What can be wrong with the service, as the emulator does it."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_aegis.emulator import Emulator, Fault

START, CANCEL = "GenerateOnceTask", "CancelOnceTask"
_DOWN = Fault.error("ServiceUnavailable", status=503)

TWO_CANCELS_FAIL = "two cancels are answered 503"

#: How each begins; it ends by itself. `seconds` is how long it goes on, or how slow an answer is.
TROUBLES: dict[str, Callable[[Emulator, float], None]] = {
    "the start's answer is lost": lambda sas, _: sas.inject(START, Fault.reset(after=True)),
    "the start's answer ends halfway": lambda sas, _: sas.inject(START, Fault.halfway(after=True)),
    "the start is answered with HTML": lambda sas, _: sas.inject(START, Fault.html(after=True)),
    "the start's answer is cut off": lambda sas, _: sas.inject(START, Fault.truncated(after=True)),
    "the start is slow to take effect": lambda sas, seconds: sas.inject(START, Fault.delayed(seconds)),
    "the start's answer is slow": lambda sas, seconds: sas.inject(START, Fault.delayed(seconds, after=True)),
    "starts are answered 503": lambda sas, seconds: sas.inject(START, _DOWN, seconds=seconds),
    "everything is answered 503": lambda sas, seconds: sas.inject("*", _DOWN, seconds=seconds),
    "half is throttled": lambda sas, seconds: sas.inject(
        "*", Fault.throttled(retry_after=0.5), seconds=seconds, probability=0.5
    ),
    "a third is reset": lambda sas, seconds: sas.inject("*", Fault.reset(), seconds=seconds, probability=0.33),
    "a third is answered with HTML": lambda sas, seconds: sas.inject(
        "*", Fault.html(), seconds=seconds, probability=0.33
    ),
    "connections are refused": lambda sas, seconds: sas.refuse_connections(seconds),
    TWO_CANCELS_FAIL: lambda sas, _: sas.inject(CANCEL, _DOWN, times=2),
    "half of the answers are slow": lambda sas, seconds: sas.inject(
        "*", Fault.delayed(1), seconds=seconds, probability=0.5
    ),
}
