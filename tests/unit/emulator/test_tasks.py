from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aegis.emulator.clock import ManualClock
from airflow_provider_aegis.emulator.errors import EmulatedError
from airflow_provider_aegis.emulator.settings import Settings, changed
from airflow_provider_aegis.emulator.tasks import Snapshot, Task, TaskStore


def make(**settings: Any) -> tuple[TaskStore, ManualClock]:
    clock = ManualClock()
    return TaskStore(clock=clock, settings=changed(Settings(seconds=10, total_count=40), **settings)), clock


def start(store: TaskStore, task_type: str = "IMAGE_SCAN", task_name: str | None = None, source: str = "") -> Task:
    task = store.start(task_type=task_type, task_name=task_name or task_type, param={}, source=source)
    assert task is not None
    return task


def look(store: TaskStore, task: Task) -> Snapshot:
    found = store.find(task.task_id)
    assert found is not None
    return found


def test_a_task_moves_from_init_over_start_to_its_outcome() -> None:
    store, clock = make()
    task = start(store)
    seen = []
    for _ in range(6):
        now = look(store, task)
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
    store, clock = make()
    task = start(store)
    clock.advance(0.9)
    assert (look(store, task).status, look(store, task).finish_count) == ("INIT", 0)
    clock.advance(0.2)
    assert look(store, task).status == "START"


@pytest.mark.parametrize("outcome", ["FAIL", "TIMEOUT", "NEVER_HEARD_OF"])
def test_only_a_success_finishes_every_item(outcome: str) -> None:
    store, clock = make(outcome=outcome)
    task = start(store)
    clock.advance(11)
    ended = look(store, task)
    assert (ended.status, ended.running, ended.finish_count, ended.total_count) == (outcome, False, 39, 40)


def test_times_are_epoch_milliseconds_and_there_is_no_end_before_the_end() -> None:
    store, clock = make()
    began = int(clock.time() * 1000)
    task = start(store)
    assert look(store, task).start_time == began
    assert look(store, task).end_time is None
    clock.advance(60)
    assert look(store, task).end_time == began + 10_000
    assert look(store, task).age == 60


def test_skew_moves_the_times_of_tasks_too() -> None:
    store, clock = make(clock_skew=3600.0)
    assert start(store).start_time == int((clock.time() + 3600) * 1000)


def test_a_task_of_no_length_is_over_at_once() -> None:
    store, _ = make(seconds=0)
    ended = look(store, start(store))
    assert (ended.status, ended.finish_count) == ("SUCCESS", 40)


def test_a_task_of_no_items_has_no_progress_until_it_succeeds() -> None:
    store, clock = make(total_count=0)
    task = start(store)
    clock.advance(5)
    assert (look(store, task).percent, look(store, task).finish_count) == (0, 0)
    clock.advance(5)
    assert look(store, task).percent == 100


def test_settings_hold_for_tasks_that_are_started_afterwards() -> None:
    store, clock = make()
    first = start(store)
    store.settings = changed(store.settings, seconds=1, outcome="FAIL")
    second = start(store, "VUL_CHECK_TASK")
    clock.advance(2)
    assert (look(store, first).status, look(store, second).status) == ("START", "FAIL")


def test_a_running_word_replaces_both_documented_ones() -> None:
    store, clock = make(running_status="PONDERING")
    task = start(store)
    assert look(store, task).status == "PONDERING"
    clock.advance(5)
    assert look(store, task).status == "PONDERING"
    clock.advance(5)
    assert look(store, task).status == "SUCCESS"


def test_one_more_than_the_limit_is_not_started_until_another_ends() -> None:
    store, clock = make(running_limit=2)
    start(store, "A")
    start(store, "B")
    assert store.start(task_type="C", task_name="C", param={}, source="") is None
    assert len(store.started) == 2
    clock.advance(10)
    start(store, "C")
    assert len(store.started) == 3


def test_a_second_running_task_of_a_kind_is_refused() -> None:
    store, clock = make()
    start(store, "IMAGE_SCAN", "one")
    start(store, "IMAGE_SCAN", "another")
    with pytest.raises(EmulatedError, match="TaskRepeat"):
        start(store, "IMAGE_SCAN", "one")
    clock.advance(10)
    start(store, "IMAGE_SCAN", "one")


def test_the_check_for_repetition_can_be_switched_off() -> None:
    store, _ = make(repeat_check="off")
    assert start(store).task_id != start(store).task_id


def test_assets_are_collected_no_more_often_than_the_period_allows() -> None:
    store, clock = make(collection_period=60)
    start(store, "ASSETS_COLLECTION")
    clock.advance(59)
    with pytest.raises(EmulatedError, match="AssetsCollectionFrequencyLimit"):
        start(store, "ASSETS_COLLECTION")
    start(store, "IMAGE_SCAN")
    clock.advance(1)
    start(store, "ASSETS_COLLECTION")


def test_cancelling_ends_a_running_task_with_the_word_that_is_set() -> None:
    store, clock = make(cancelled_status="TIMEOUT", running_limit=1)
    task = start(store)
    clock.advance(5)
    store.cancel(task.task_id)
    ended = look(store, task)
    assert (ended.status, ended.running, ended.finish_count) == ("TIMEOUT", False, 20)
    assert ended.end_time == ended.start_time + 5_000
    assert store.cancelled == [task.task_id]
    assert store.running() == []
    start(store)


def test_cancelling_what_is_over_or_unknown_changes_nothing() -> None:
    store, clock = make()
    task = start(store)
    clock.advance(10)
    store.cancel(task.task_id)
    store.cancel("unknown")
    assert look(store, task).status == "SUCCESS"
    assert store.cancelled == []


def test_finishing_ends_a_task_now_or_changes_how_it_ended() -> None:
    store, clock = make()
    task = start(store)
    clock.advance(1)
    store.finish(task.task_id, "SUCCESS")
    assert (look(store, task).status, look(store, task).finish_count) == ("SUCCESS", 40)
    clock.advance(1)
    store.finish(task.task_id, "FAIL")
    ended = look(store, task)
    assert (ended.status, ended.end_time) == ("FAIL", ended.start_time + 1_000)
    with pytest.raises(ValueError, match="there is no task 'unknown'"):
        store.finish("unknown", "SUCCESS")


def test_tasks_are_found_newest_first_by_type_name_and_source() -> None:
    store, _ = make()
    first = start(store, "A", "one", source="console")
    second = start(store, "A", "two")
    third = start(store, "B")
    assert [task.task_id for task in store.newest()] == [third.task_id, second.task_id, first.task_id]
    assert [task.task_id for task in store.newest(task_type="A")] == [second.task_id, first.task_id]
    assert [task.task_id for task in store.newest(task_type="A", task_name="one")] == [first.task_id]
    assert [task.task_id for task in store.newest(source="console")] == [first.task_id]


def test_a_virus_scan_counts_once_for_each_token_and_not_as_a_dry_run() -> None:
    store, _ = make()
    store.scan_viruses({"ScanType": "system", "ClientToken": "t"})
    store.scan_viruses({"ScanType": "system", "ClientToken": "t"})
    store.scan_viruses({"ScanType": "user", "DryRun": "true"})
    store.scan_viruses({"ScanType": "user"})
    store.scan_viruses({"ScanType": "user"})
    assert [scan["ScanType"] for scan in store.virus_scans] == ["system", "user", "user"]
