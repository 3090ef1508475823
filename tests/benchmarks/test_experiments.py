from benchmarks.experiments import default_threads, elapsed_seconds, experiments, in_a_fresh_process, rounds_of


def test_each_trial_is_timed_as_often_as_asked() -> None:
    measured = experiments(calls=2, call_seconds=0.001, repetitions=1)

    assert [(each["work"], each["threads"], len(each["seconds"])) for each in measured["elapsed"]] == [
        ("waiting", measured["asyncio_threads"], 1),
        ("waiting", 5, 1),
        ("computing", measured["asyncio_threads"], 1),
        ("computing", 5, 1),
    ]
    assert all(seconds > 0 for each in measured["elapsed"] for seconds in each["seconds"])


def test_ten_sleepers_in_five_threads_take_two_rounds() -> None:
    assert elapsed_seconds("waiting", "ThreadPoolExecutor", 10, 0.02) >= 0.04


def test_a_fresh_process_counts_both_pools() -> None:
    assert in_a_fresh_process(default_threads) == default_threads()


def test_a_longer_call_has_more_rounds() -> None:
    assert rounds_of(1.0) > rounds_of(0.0)
