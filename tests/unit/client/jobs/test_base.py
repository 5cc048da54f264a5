"""A kind of job is one class of each protocol: the flows submit it, wait for it and cancel it without knowing it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_aegis.client.flows.exchange import Flow, exchange
from airflow_provider_aegis.client.flows.poll_interval import PollInterval
from airflow_provider_aegis.client.flows.wait import Ending, Outcome, wait
from airflow_provider_aegis.client.jobs.base import Job, JobRef, Judge, Reading
from airflow_provider_aegis.client.jobs.once_task import OnceTask, OnceTaskJudge, OnceTaskRef
from airflow_provider_aegis.client.protocol.operations import Call, call
from tests.fakes import Stage, answer, stage

ONCE_TASK: tuple[Job, JobRef, Judge] = (
    OnceTask(once_task_type="T"),
    OnceTaskRef(once_task_type="T", once_task_id="t1"),
    OnceTaskJudge(),
)


@dataclass(frozen=True)
class BackupRef:
    backup_id: str

    def read(self) -> Call:
        return call("DescribeBackup", BackupId=self.backup_id)

    def cancel(self) -> Call:
        return call("StopBackup", BackupId=self.backup_id)


@dataclass(frozen=True)
class Backup:
    plan: str

    def submit(self) -> Call:
        return call("CreateBackup", Plan=self.plan)

    def ref(self, payload: Mapping[str, Any]) -> BackupRef:
        return BackupRef(payload["Id"])


@dataclass
class BackupJudge:
    seen: list[float] = field(default_factory=list)

    def judge(self, payload: Mapping[str, Any], now: float) -> Reading:
        self.seen.append(now)
        outcome = {"done": Outcome.SUCCESS, "broken": Outcome.FAILED}.get(payload["Word"])
        return Reading(outcome, payload["Percent"] / 100)


def run(on_stage: Stage, job: Job, judge: Judge) -> Ending:
    def flow() -> Flow[Ending]:
        ref = job.ref((yield from exchange(on_stage.config, job.submit())))
        ending = yield from wait(on_stage.config, ref.read(), judge=judge, poll_interval=PollInterval(30.0, 300.0))
        if ending.outcome is not Outcome.SUCCESS:
            yield from exchange(on_stage.config, ref.cancel())
        return ending

    return on_stage.run_flow(flow())


def actions(on_stage: Stage) -> list[str]:
    return [send.signature.action for send in on_stage.sent if send.signature]


def word(word: str, percent: int) -> Any:
    return answer({"RequestId": "R", "Word": word, "Percent": percent})


def test_a_job_of_another_kind_is_submitted_and_waited_for() -> None:
    on_stage, judge = stage(answer({"RequestId": "R", "Id": "b1"}), word("runs", 0), word("done", 100)), BackupJudge()
    assert run(on_stage, Backup("daily"), judge).outcome is Outcome.SUCCESS
    assert actions(on_stage) == ["CreateBackup", "DescribeBackup", "DescribeBackup"]
    assert "Plan=daily" in on_stage.sent[0].url
    assert all("BackupId=b1" in send.url for send in on_stage.sent[1:])
    assert len(judge.seen) == 2


def test_its_outcome_is_what_its_judge_says() -> None:
    on_stage = stage(answer({"RequestId": "R", "Id": "b1"}), word("broken", 50), answer({"RequestId": "R"}))
    assert run(on_stage, Backup("daily"), BackupJudge()).outcome is Outcome.FAILED
    assert actions(on_stage)[-1] == "StopBackup"


def test_its_progress_stretches_the_naps() -> None:
    halves = [word("runs", percent) for percent in range(0, 100, 2)]
    on_stage = stage(answer({"RequestId": "R", "Id": "b1"}), *halves, word("done", 100))
    run(on_stage, Backup("daily"), BackupJudge())
    assert max(on_stage.slept) > 33


def test_the_judge_of_a_one_time_task_logs_a_status_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    judge, running = OnceTaskJudge(), {"TaskInfo": {"Status": "START"}}
    assert [judge.judge(running, now).outcome for now in (1.0, 2.0)] == [None, None]
    assert len(caplog.records) == 1


def test_a_one_time_task_is_such_a_job() -> None:
    job, ref, _ = ONCE_TASK
    assert job.submit().operation.name == "GenerateOnceTask"
    assert job.ref({"TaskId": "t1"}) == ref
