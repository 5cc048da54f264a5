from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.emulator.clock import ManualClock
from airflow_provider_aegis.emulator.errors import RefusalError
from airflow_provider_aegis.emulator.settings import Settings, changed
from airflow_provider_aegis.emulator.tasks import Snapshot, Task, TaskService


def make(**settings: Any) -> tuple[TaskService, ManualClock]:
    clock = ManualClock()
    return TaskService(clock=clock, settings=changed(Settings(seconds=10, total_count=40), **settings)), clock


def start(service: TaskService, task_type: str = "IMAGE_SCAN", task_name: str | None = None, source: str = "") -> Task:
    task = service.start(task_type=task_type, task_name=task_name or task_type, param={}, source=source)
    assert task is not None
    return task


def look(service: TaskService, task: Task) -> Snapshot:
    found = service.find(task.task_id)
    assert found is not None
    return found


def test_a_task_moves_from_init_over_start_to_its_outcome() -> None:
    service, clock = make()
    task = start(service)
    seen = []
    for _ in range(6):
        now = look(service, task)
        seen.append((now.status, now.finish_count, now.percent, now.running))
        clock.advance(2)
    assert seen == [
        ("INIT", 0, 0, True),
        ("START", 8, 20, True),
        ("START", 16, 40, True),
        ("START", 24, 60, True),
        ("START", 32, 80, True),
        ("SUCCESS", 40, 100, False),
    ]


def test_it_stays_init_for_the_first_tenth_of_its_time() -> None:
    service, clock = make()
    task = start(service)
    clock.advance(0.9)
    assert (look(service, task).status, look(service, task).finish_count) == ("INIT", 0)
    clock.advance(0.2)
    assert look(service, task).status == "START"


@pytest.mark.parametrize("outcome", ["FAIL", "TIMEOUT", "NEVER_HEARD_OF"])
def test_only_a_success_finishes_every_item(outcome: str) -> None:
    service, clock = make(outcome=outcome)
    task = start(service)
    clock.advance(11)
    ended = look(service, task)
    assert (ended.status, ended.running, ended.finish_count, ended.total_count) == (outcome, False, 39, 40)


def test_times_are_epoch_milliseconds_and_there_is_no_end_before_the_end() -> None:
    service, clock = make()
    began = int(clock.time() * 1000)
    task = start(service)
    assert look(service, task).start_time == began
    assert look(service, task).end_time is None
    clock.advance(60)
    assert look(service, task).end_time == began + 10_000
    assert look(service, task).age == 60


def test_skew_moves_the_times_of_tasks_too() -> None:
    service, clock = make(clock_skew=3600.0)
    assert start(service).start_time == int((clock.time() + 3600) * 1000)


def test_a_task_of_no_length_is_over_at_once() -> None:
    service, _ = make(seconds=0)
    ended = look(service, start(service))
    assert (ended.status, ended.finish_count) == ("SUCCESS", 40)


def test_a_task_of_no_items_has_no_progress_until_it_succeeds() -> None:
    service, clock = make(total_count=0)
    task = start(service)
    clock.advance(5)
    assert (look(service, task).percent, look(service, task).finish_count) == (0, 0)
    clock.advance(5)
    assert look(service, task).percent == 100


def test_settings_hold_for_tasks_that_are_started_afterwards() -> None:
    service, clock = make()
    first = start(service)
    service.settings = changed(service.settings, seconds=1, outcome="FAIL")
    second = start(service, "VUL_CHECK_TASK")
    clock.advance(2)
    assert (look(service, first).status, look(service, second).status) == ("START", "FAIL")


def test_a_running_word_replaces_both_documented_ones() -> None:
    service, clock = make(running_status="PONDERING")
    task = start(service)
    assert look(service, task).status == "PONDERING"
    clock.advance(5)
    assert look(service, task).status == "PONDERING"
    clock.advance(5)
    assert look(service, task).status == "SUCCESS"


def test_one_more_than_the_limit_is_not_started_until_another_ends() -> None:
    service, clock = make(running_limit=2)
    start(service, "A")
    start(service, "B")
    assert service.start(task_type="C", task_name="C", param={}, source="") is None
    assert len(service.started) == 2
    clock.advance(10)
    start(service, "C")
    assert len(service.started) == 3


def test_a_second_running_task_of_a_kind_is_refused() -> None:
    service, clock = make()
    start(service, "IMAGE_SCAN", "one")
    start(service, "IMAGE_SCAN", "another")
    with pytest.raises(RefusalError, match="TaskRepeat"):
        start(service, "IMAGE_SCAN", "one")
    clock.advance(10)
    start(service, "IMAGE_SCAN", "one")


def test_the_check_for_repetition_can_be_switched_off() -> None:
    service, _ = make(repeat_check="off")
    assert start(service).task_id != start(service).task_id


def test_assets_are_collected_no_more_often_than_the_period_allows() -> None:
    service, clock = make(collection_period=60)
    start(service, "ASSETS_COLLECTION")
    clock.advance(59)
    with pytest.raises(RefusalError, match="AssetsCollectionFrequencyLimit"):
        start(service, "ASSETS_COLLECTION")
    start(service, "IMAGE_SCAN")
    clock.advance(1)
    start(service, "ASSETS_COLLECTION")


def test_cancelling_ends_a_running_task_with_the_word_that_is_set() -> None:
    service, clock = make(cancelled_status="TIMEOUT", running_limit=1)
    task = start(service)
    clock.advance(5)
    service.cancel(task.task_id)
    ended = look(service, task)
    assert (ended.status, ended.running, ended.finish_count) == ("TIMEOUT", False, 20)
    assert ended.end_time == ended.start_time + 5_000
    assert service.cancelled == [task.task_id]
    assert service.running() == []
    start(service)


def test_cancelling_what_is_over_or_unknown_changes_nothing() -> None:
    service, clock = make()
    task = start(service)
    clock.advance(10)
    service.cancel(task.task_id)
    service.cancel("unknown")
    assert look(service, task).status == "SUCCESS"
    assert service.cancelled == []


def test_finishing_ends_a_task_now_or_changes_how_it_ended() -> None:
    service, clock = make()
    task = start(service)
    clock.advance(1)
    service.finish(task.task_id, "SUCCESS")
    assert (look(service, task).status, look(service, task).finish_count) == ("SUCCESS", 40)
    clock.advance(1)
    service.finish(task.task_id, "FAIL")
    ended = look(service, task)
    assert (ended.status, ended.end_time) == ("FAIL", ended.start_time + 1_000)
    with pytest.raises(ValueError, match="there is no task 'unknown'"):
        service.finish("unknown", "SUCCESS")


def test_tasks_are_found_newest_first_by_type_name_and_source() -> None:
    service, _ = make()
    first = start(service, "A", "one", source="console")
    second = start(service, "A", "two")
    third = start(service, "B")
    assert [task.task_id for task in service.newest()] == [third.task_id, second.task_id, first.task_id]
    assert [task.task_id for task in service.newest(task_type="A")] == [second.task_id, first.task_id]
    assert [task.task_id for task in service.newest(task_type="A", task_name="one")] == [first.task_id]
    assert [task.task_id for task in service.newest(source="console")] == [first.task_id]


def test_a_virus_scan_counts_once_for_each_token_and_not_as_a_dry_run() -> None:
    service, _ = make()
    service.scan_viruses({"ScanType": "system", "ClientToken": "t"})
    service.scan_viruses({"ScanType": "system", "ClientToken": "t"})
    service.scan_viruses({"ScanType": "user", "DryRun": "true"})
    service.scan_viruses({"ScanType": "user"})
    service.scan_viruses({"ScanType": "user"})
    assert [scan["ScanType"] for scan in service.virus_scans] == ["system", "user", "user"]
