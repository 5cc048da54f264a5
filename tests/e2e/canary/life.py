"""A life full of trouble: scans with keys of every kind, in both modes, while everything fails in turn."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_aegis.emulator import Emulator, Fault
from tests.e2e import processes
from tests.e2e.api import ApiError, until
from tests.e2e.stack import AirflowStack
from tests.fakes import revealed
from tests.unit.client.credentials_services import BASE, METADATA_TOKEN, OIDC_TOKEN, CredentialsServices, refusal
from tests.unit.client.transport.echoes import signature_of

from .canaries import Canaries
from .dags.aegis_canary import AUTH_TYPES, MODES
from .haystack import keep_fleeting
from .hostile import Hostile
from .wiretap import Wiretap

GOOD_NAMES = {f"{auth_type}_{mode}" for auth_type in AUTH_TYPES for mode in MODES}
# Those that end well, those that are refused, and two that a user ends.
ENDED = ("ended_poke", "ended_deferrable")
SCANS = len(GOOD_NAMES) + len(AUTH_TYPES) + 3 + len(ENDED)
READ = "GetOnceTaskResultInfo"
# Many requests meet one of these for so many seconds.
TROUBLED = 6
TROUBLES = {
    "Throttling.User": Fault.throttled(retry_after=0.2),
    "ServiceUnavailable": Fault.error("ServiceUnavailable"),
    "reset": Fault.reset(),
    "HTML": Fault.html(),
    "not JSON": Fault.broken(),
}
# What the keys that nobody hands out are refused with in the middle of a wait; the others cannot be had any more.
REFUSALS = {
    "key-access": "NoPermission",
    "key-sts": "SignatureDoesNotMatch",
    "key-chain": "InvalidAccessKeyId.Inactive",
}


@dataclass
class Life:
    """Runs the DAGs, and knows every secret that there was.

    :param folder: where OIDC tokens are in files.
    :ivar triggerer: the processes of the triggerer.
    """

    stack: AirflowStack
    sas: Emulator
    services: CredentialsServices
    canaries: Canaries
    wiretap: Wiretap
    hostile: Hostile
    folder: Path
    said: dict[str, str] = field(default_factory=dict)
    triggerer: set[int] = field(default_factory=set)

    def live(self) -> None:
        """Go through all of it."""
        connections = self.canaries.connections(self.sas, self.services, self.folder, echo=self.hostile.port)
        keep_fleeting(self.stack.home / "airflow.db")
        for connection in connections.values():
            self._say("api connections", self.stack.api("POST", "connections", connection))
        runs = {dag_id: self.stack.trigger(dag_id) for dag_id in ("canary", "canary_refused", "canary_ended")}
        self._wait_for_reads(lambda: {dag_id: self.stack.task_states(dag_id, run) for dag_id, run in runs.items()})
        self.triggerer = {self.stack.pid("triggerer"), *processes.descendants(self.stack.pid("triggerer"))}
        self._trouble()
        runs |= {dag_id: self.stack.trigger(dag_id) for dag_id in ("canary_failures", "canary_hostile")}
        for once_task_id in self.sas.running:
            if self.sas.tasks[once_task_id].task_name in GOOD_NAMES:
                self.sas.finish(once_task_id)
        self._end(runs["canary_ended"])
        self._wait(runs["canary"], "canary", "success")
        for dag_id in ("canary_failures", "canary_hostile"):
            self._wait(runs[dag_id], dag_id, "failed")
        self._refuse()
        self._wait(runs["canary_refused"], "canary_refused", "failed")
        self._say("api test", self.stack.api("POST", "connections/test", connections["sts"]))
        self._heal()

    def tell(self) -> str:
        """Let tasks and triggers log the keys that they get, and return the run."""
        run = self.stack.trigger("canary_told")
        self._wait(run, "canary_told", "success")
        return run

    def secrets(self) -> set[str]:
        """Every secret that there was: given, handed out, signed."""
        handed_out = self.services.handed_out
        found = {
            *vars(self.canaries).values(),
            *(text or "" for keys in handed_out for text in revealed(keys)[1:]),
            *(one.rpartition("Signature=")[2] for one in self.wiretap.authorizations),
            *(one.rpartition("Signature=")[2] for one in self.services.authorizations if one),
            *filter(None, map(signature_of, self.hostile.endpoint.requests)),
            BASE.access_key_secret.reveal(),
            OIDC_TOKEN,
            METADATA_TOKEN,
        }
        assert "" not in found
        return found - self.canaries.confidential

    def ask(self) -> dict[str, str]:
        """Read what Airflow and the emulator tell whoever asks."""
        tasks = self.stack.api("GET", "dags/~/dagRuns/~/taskInstances", limit=1000)["task_instances"]
        self._say("api connections", self.stack.api("GET", "connections", limit=1000))
        told = {"api tasks": json.dumps(tasks), "emulator": repr(self.sas)}
        for task in tasks:
            known = (task["dag_id"], task["dag_run_id"], task["task_id"])
            for number in range(1, task["try_number"] + 1):
                name = f"api log {task['dag_id']}.{task['task_id']} {number}"
                try:
                    told[name] = self.stack.log(*known, number)
                except ApiError as error:  # Airflow keeps no record of a try that it reset before it began
                    if error.status != 404:
                        raise
        for verb in ("state", "log"):
            with urllib.request.urlopen(f"{self.sas.url}/_emulator/{verb}") as answer:
                told[f"emulator {verb}"] = answer.read().decode()
        return told | self.said

    def _trouble(self) -> None:
        """Let everything go wrong that passes."""
        # The keys that were handed out are good no more, and for a while there are none to be had.
        self.services.trouble = refusal(503, "ServiceUnavailable", "Busy with {request}.")
        self._expire_keys()
        time.sleep(2)
        self.services.trouble = None
        for trouble in TROUBLES.values():
            self.sas.inject("*", trouble, seconds=TROUBLED, probability=0.2)
        time.sleep(TROUBLED)

    def _end(self, run: str) -> None:
        """Have a user end two tasks."""
        for task in ENDED:
            self.stack.mark("canary_ended", run, task, "failed")
        until(lambda: self.cancelled() == set(ENDED), 120, lambda: self._logs("canary_ended", run))

    def cancelled(self) -> set[str]:
        """The names of the scans that were cancelled."""
        return {self.sas.tasks[one].task_name for one in self.sas.cancelled}

    def _refuse(self) -> None:
        """Let nobody in any more while workers and triggers wait, and say why by repeating what they sent."""
        self.wiretap.refused = REFUSALS
        self.services.trouble = refusal(
            400, "SignatureDoesNotMatch", "No {request}; server string to sign is:{request}"
        )
        (self.folder / "oidc").unlink()
        self._expire_keys()

    def _heal(self) -> None:
        self.wiretap.refused, self.services.trouble = {}, None
        (self.folder / "oidc").write_text(OIDC_TOKEN)

    def _expire_keys(self) -> None:
        for keys in self.services.handed_out:
            access_key_id, secret, token = revealed(keys)
            self.sas.add_key(access_key_id, secret, token=token, seconds=0)

    def _wait_for_reads(self, states: Callable[[], object]) -> None:
        """Wait until all scans run and each has been looked at twice: a deferred one by its trigger as well."""

        def reads() -> bool:
            looked = Counter(line.params["TaskName"] for line in self.sas.log if line.action == READ)
            names = {self.sas.tasks[one].task_name for one in self.sas.running}
            return len(names) == SCANS and all(looked[name] > 1 for name in names)

        until(reads, 120, lambda: f"{states()}")

    def _wait(self, run: str, dag_id: str, state: str) -> None:
        ended = self.stack.wait(dag_id, run, timeout=120)
        assert ended == state, self._logs(dag_id, run, but=state)

    def _logs(self, dag_id: str, run: str, *, but: str = "") -> str:
        """The ends of the logs of a run's tasks, each of its last try.

        :param but: a state whose tasks are left out.
        """
        texts = []
        for task, state in self.stack.task_states(dag_id, run).items():
            number = self.stack.task(dag_id, run, task)["try_number"]
            if state != but:
                log = self.stack.log(dag_id, run, task, number)[-3000:] if number else ""
                texts.append(f"{task}, try {number}, {state}: {log}")
        return "\n\n".join(texts)

    def _say(self, what: str, answer: Any) -> None:
        self.said[what] = f"{self.said.get(what, '')}\n{json.dumps(answer)}"
