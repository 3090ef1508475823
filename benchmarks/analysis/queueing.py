"""How busy workers may be before requests wait too long."""

from collections.abc import Callable
from math import exp

# A request in a hundred may wait longer.
TAIL = 0.01
STEPS = 60


def erlang_c(servers: int, utilisation: float) -> float:
    """
    The probability that an arrival of M/M/c waits (Erlang, 1917), by the recursion of Erlang B.

    B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1)) with a = c rho; C = B / (1 - rho (1 - B)).
    """
    offered, blocked = servers * utilisation, 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - utilisation * (1 - blocked))


def utilisation_limit(
    servers: int, service_times: float, *, arrival_variability: float = 1.0, service_variability: float = 1.0
) -> float:
    """
    The highest utilisation of M/M/c at which p99 of the wait is no more than so many service times.

    Variabilities are squared coefficients of variation; the wait is scaled by their mean (Allen and Cunneen). Of one
    arrival W > t has the probability C exp(-c (1 - rho) t / S).
    """
    allowed = service_times / ((arrival_variability + service_variability) / 2)

    def waits_too_long(utilisation: float) -> bool:
        late = erlang_c(servers, utilisation) * exp(-servers * (1 - utilisation) * allowed)
        return late > TAIL

    return _last_without(waits_too_long)


def planned_utilisation(servers: int, service_times: float, busiest_share: float) -> float:
    """
    Between one queue for all workers (M/M/c) and a queue each (c x M/M/1), by the share of the busiest worker.

    Connections stick to workers. Where each takes as much as the others, w = 0 and the limit is M/M/c's. Where the
    busiest takes all, w = 1, and its own queue, M/M/1 with c times the mean utilisation, sets the limit. Between them
    w = (c b - 1) / (c - 1) weighs M/M/c's limit against that of the busiest worker's own queue, M/M/1's divided by c b.
    """
    if servers == 1:
        return utilisation_limit(1, service_times)
    excess = max(1.0, servers * busiest_share)
    weight = min(1.0, (excess - 1) / (servers - 1))
    one_queue, own_queue = utilisation_limit(servers, service_times), utilisation_limit(1, service_times) / excess
    return (1 - weight) * one_queue + weight * own_queue


def _last_without(fails: Callable[[float], bool]) -> float:
    """Where a condition that holds from some utilisation on begins."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return low
