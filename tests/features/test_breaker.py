"""The breaker and the budget of retries, by a clock of the test's own."""

from app.features.breaker import Admission, Breaker, RetryBudget

REFUSED, USUAL, PROBE = Admission


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock, **options: float) -> Breaker:
    breaker = Breaker(failures=3, clock=clock, **options)
    for _ in range(3):
        breaker.failed(breaker.admit())
    return breaker


def test_failures_one_after_the_other_open_it() -> None:
    breaker = Breaker(failures=3)

    admitted = []
    for _ in range(5):
        admitted.append(breaker.admit())
        breaker.failed(admitted[-1])

    assert admitted == [USUAL, USUAL, USUAL, REFUSED, REFUSED]


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(failures=3)

    for _ in range(3):
        breaker.failed(USUAL)
        breaker.failed(USUAL)
        breaker.succeeded()

    assert breaker.admit() is USUAL
    assert not breaker.is_open


def test_after_the_pause_one_alone_is_let_through() -> None:
    clock = Clock()
    breaker = opened(clock, first_seconds=1.0)

    before = breaker.admit()
    clock.now += 1.0

    assert [before, breaker.admit(), breaker.admit(), breaker.admit()] == [REFUSED, PROBE, REFUSED, REFUSED]


def test_a_probe_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock, first_seconds=1.0)
    clock.now += 1.0

    breaker.admit()
    breaker.succeeded()

    assert [breaker.admit(), breaker.admit()] == [USUAL, USUAL]


def test_each_probe_that_fails_makes_the_pause_longer_up_to_the_longest() -> None:
    clock = Clock()
    breaker = opened(clock, first_seconds=1.0, most_seconds=4.0)

    pauses = []
    for _ in range(40):
        start = clock.now
        while breaker.admit() is REFUSED:
            clock.now += 0.01
        pauses.append(clock.now - start)
        breaker.failed(PROBE)

    assert 0.5 <= pauses[0] <= 1.01
    assert 1.0 <= pauses[1] <= 2.01
    assert all(2.0 <= pause <= 4.01 for pause in pauses[2:])
    # So that processes which began together do not ask together.
    assert len({round(pause, 2) for pause in pauses[2:]}) > 5


def test_failures_of_those_who_were_admitted_before_do_not_make_the_pause_longer() -> None:
    clock = Clock()
    breaker = opened(clock, first_seconds=1.0)

    for _ in range(10):
        breaker.failed(USUAL)
    clock.now += 1.0

    assert breaker.admit() is PROBE


def test_a_failure_of_those_who_were_admitted_before_is_not_that_of_the_probe() -> None:
    clock = Clock()
    breaker = opened(clock, first_seconds=1.0)
    clock.now += 1.0

    breaker.admit()
    breaker.failed(USUAL)

    assert breaker.admit() is REFUSED


def test_by_default_five_failures_open_it() -> None:
    breaker = Breaker()

    states = []
    for _ in range(6):
        states.append(breaker.is_open)
        breaker.failed(USUAL)

    assert states == [False] * 5 + [True]


def test_retries_are_a_tenth_of_the_fetches_after_the_first_ones() -> None:
    budget = RetryBudget(most=5.0)

    spent = 0
    for _ in range(1_000):
        budget.fetched()
        spent += budget.spend()

    assert 100 <= spent <= 105


def test_a_budget_that_was_not_used_does_not_grow_without_end() -> None:
    budget = RetryBudget(most=5.0)

    for _ in range(1_000):
        budget.fetched()

    assert sum(budget.spend() for _ in range(100)) == 5
