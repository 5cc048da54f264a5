"""A life full of trouble: scans with keys of every kind, in both modes, while everything fails in turn."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider_aegis.emulator import Emulator, Fault, Key
from tests.e2e.api import until
from tests.e2e.stack import AirflowStack
from tests.unit.client.credentials_services import (
    BASE,
    METADATA_TOKEN,
    OIDC,
    OIDC_TOKEN,
    ROLE,
    CredentialsServices,
    refusal,
)

SCANS = 14
READ = "GetOnceTaskResultInfo"
# Half of all requests meet one of these for a while.
TROUBLES = {
    "Throttling.User": Fault.throttled(retry_after=0.2),
    "ServiceUnavailable": Fault.error("ServiceUnavailable"),
    "reset": Fault.reset(),
    "HTML": Fault.html(),
    "not JSON": Fault.broken(),
}


def canary(what: str) -> str:
    """Make a secret that is like no other text."""
    return f"canary-{what}/{secrets.token_hex(12)}+="


@dataclass
class Canaries:
    """The secrets that are written somewhere before Airflow starts."""

    access_key: str = field(default_factory=lambda: canary("secret"))
    sts: str = field(default_factory=lambda: canary("sts"))
    token: str = field(default_factory=lambda: canary("token"))
    chain: str = field(default_factory=lambda: canary("chain"))
    wrong: str = field(default_factory=lambda: canary("wrong"))
    wrong_token: str = field(default_factory=lambda: canary("wrong-token"))
    wrong_oidc: str = field(default_factory=lambda: canary("wrong-oidc"))

    def keys(self) -> dict[str, Key]:
        """What the emulator knows of them."""
        return {
            "key-access": Key(self.access_key),
            "key-sts": Key(self.sts, token=self.token),
            "key-chain": Key(self.chain),
        }

    def connections(self, sas: Emulator, services: CredentialsServices, folder: Path) -> dict[str, dict[str, Any]]:
        """Describe a connection of each kind, good and bad.

        :param folder: where tokens are in files.
        """
        for name, token in (("oidc", OIDC_TOKEN), ("wrong-oidc", self.wrong_oidc)):
            (folder / name).write_text(token)
        access, sts = ("key-access", self.access_key), ("key-sts", self.sts)
        base, nobody = (BASE.access_key_id, BASE.access_key_secret), ("", "")
        role = {"auth_type": "ram_role_arn", "role_arn": ROLE}
        oidc = {"auth_type": "oidc_role_arn", "role_arn": ROLE, "oidc_provider_arn": OIDC}
        described: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
            "access_key": (access, {}),
            "sts": (sts, {"security_token": self.token}),
            "ram_role_arn": (base, role),
            "oidc_role_arn": (nobody, {**oidc, "oidc_token_file": str(folder / "oidc")}),
            "ecs_ram_role": (nobody, {"auth_type": "ecs_ram_role"}),
            "credentials_uri": (nobody, {"auth_type": "credentials_uri", "credentials_uri": services.uri}),
            "default": (nobody, {"auth_type": "default"}),
            "wrong_secret": (("key-access", self.wrong), {}),
            "wrong_token": (sts, {"security_token": self.wrong_token}),
            "wrong_base": ((BASE.access_key_id, self.wrong), role),
            "no_token_file": (nobody, {**oidc, "oidc_token_file": str(folder / "none")}),
            "wrong_oidc_token": (nobody, {**oidc, "oidc_token_file": str(folder / "wrong-oidc")}),
        }
        return {
            name: {
                "connection_id": name,
                "conn_type": "aegis",
                "host": "http://127.0.0.1",
                "port": sas.port,
                "login": login or None,
                "password": password or None,
                "extra": json.dumps({"region": "cn-shanghai", "max_requests_per_second": 100, **extra}),
            }
            for name, ((login, password), extra) in described.items()
        }


@dataclass
class Life:
    """Runs the DAGs one after the other, and knows every secret that there was.

    :param authorizations: the Authorization headers that reached the emulator.
    """

    stack: AirflowStack
    sas: Emulator
    services: CredentialsServices
    canaries: Canaries
    authorizations: list[str]
    said: dict[str, str] = field(default_factory=dict)

    def live(self, connections: Mapping[str, Mapping[str, Any]]) -> None:
        """Go through all of it."""
        for connection in connections.values():
            self._say("connections", self.stack.api("POST", "connections", dict(connection)))
        self._scan_through_troubles()
        self._end_scans()
        self._run("canary_failures", "failed")
        echo = f"string to sign is: {self.canaries.sts} x-acs-security-token:{self.canaries.token}"
        self.sas.inject("*", Fault.error("SignatureDoesNotMatch", message=echo), seconds=120)
        self._run("canary_echo", "failed")
        self._say("tested", self.stack.api("POST", "connections/test", dict(connections["sts"])))
        self.sas.heal()

    def tell(self) -> str:
        """Let tasks and triggers log the keys that they get, and return the run."""
        return self._run("canary_told", "success")

    def secrets(self) -> set[str]:
        """Every secret that there was: given, handed out, signed."""
        handed_out = self.services.handed_out
        signatures = [one.rpartition("Signature=")[2] for one in self.authorizations]
        found = {
            *vars(self.canaries).values(),
            *(keys.access_key_secret for keys in handed_out),
            *(keys.security_token or "" for keys in handed_out),
            *signatures,
            *self.authorizations,
            *(asked["Signature"] for asked in self.services.asked if "Signature" in asked),
            BASE.access_key_secret,
            OIDC_TOKEN,
            METADATA_TOKEN,
        }
        assert "" not in found
        return found

    def ask(self) -> dict[str, str]:
        """Read what Airflow and the emulator tell whoever asks."""
        tasks = self.stack.api("GET", "dags/~/dagRuns/~/taskInstances", limit=1000)["task_instances"]
        told = {
            "api tasks": json.dumps(tasks),
            "api connections": json.dumps(self.stack.api("GET", "connections", limit=1000)),
            "emulator": repr(self.sas),
        }
        for task in tasks:
            known = (task["dag_id"], task["dag_run_id"], task["task_id"])
            for number in range(1, task["try_number"] + 1):
                told[f"api log {task['dag_id']}.{task['task_id']} {number}"] = self.stack.log(*known, number)
        for verb in ("state", "log"):
            with urllib.request.urlopen(f"{self.sas.url}/_emulator/{verb}") as answer:
                told[f"emulator {verb}"] = answer.read().decode()
        return told | self.said

    def _scan_through_troubles(self) -> None:
        run = self.stack.trigger("canary")
        self._wait_for_reads(run, "canary", SCANS)
        # The keys that were handed out are good no more, and for a while there are none to be had.
        self.services.trouble = refusal(503, "ServiceUnavailable", f"Busy with {BASE.access_key_secret} {OIDC_TOKEN}.")
        for keys in self.services.handed_out:
            self.sas.add_key(keys.access_key_id, keys.access_key_secret, token=keys.security_token, seconds=0)
        time.sleep(2)
        self.services.trouble = None
        for trouble in TROUBLES.values():
            self.sas.inject("*", trouble, seconds=8, probability=0.2)
        time.sleep(8)
        for once_task_id in self.sas.running:
            self.sas.finish(once_task_id)
        assert self.stack.wait("canary", run, timeout=120) == "success", self.stack.task_states("canary", run)

    def _end_scans(self) -> None:
        run = self.stack.trigger("canary_ended")
        self._wait_for_reads(run, "canary_ended", 2)
        log = partial(self.stack.log, "canary_ended", run, "ended_deferrable")
        until(lambda: " starting" in log(), 60, log)  # before that Airflow has nobody to call on_kill of
        for task in ("ended_poke", "ended_deferrable"):
            self.stack.mark("canary_ended", run, task, "failed")
        until(lambda: len(self.sas.cancelled) == 2, 60, log)

    def _wait_for_reads(self, run: str, dag_id: str, scans: int) -> None:
        """Wait until so many scans run and each has been looked at twice."""

        def reads() -> bool:
            looked = [line.params["TaskName"] for line in self.sas.log if line.action == READ]
            names = {self.sas.tasks[one].task_name for one in self.sas.running}
            return len(names) == scans and all(looked.count(name) > 1 for name in names)

        until(reads, 120, lambda: f"{self.stack.task_states(dag_id, run)}")

    def _run(self, dag_id: str, state: str) -> str:
        run = self.stack.trigger(dag_id)
        assert self.stack.wait(dag_id, run, timeout=120) == state, self.stack.task_states(dag_id, run)
        return run

    def _say(self, what: str, answer: Any) -> None:
        self.said[what] = f"{self.said.get(what, '')}\n{json.dumps(answer)}"
