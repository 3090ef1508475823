"""
Everything that makes a run fail rather than yield a number.

RunFailed
├── NoLoadGenerator      wrk is not installed
├── NotMeasurable        this model cannot be asked what the benchmark asks
├── NothingFits          no candidate keeps the limits that the tuning was given
├── ServerFailed         the server did not start, or did not stay as it was; shows its log
├── RequestsFailed       a request was not answered, or not with 200
│   └── AllRefused       no request of a window was answered, each was refused
├── WrongAnswer          a known instance was answered wrongly
├── UnreadableOutput     the load generator's output lacks a number
└── GeneratorSaturated   the load generator, not the server, was the limit
"""


class RunFailed(Exception):
    """Base class; its text says what to look at."""


class NoLoadGenerator(RunFailed):
    def __init__(self) -> None:
        super().__init__("wrk is not installed; on Debian and Ubuntu: apt install wrk")


class NotMeasurable(RunFailed):
    pass


class NothingFits(RunFailed):
    pass


class ServerFailed(RunFailed):
    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(f"{reason}; the end of its log:\n{log}" if log else reason)


class RequestsFailed(RunFailed):
    pass


class AllRefused(RequestsFailed):
    pass


class WrongAnswer(RunFailed):
    pass


class UnreadableOutput(RunFailed):
    pass


class GeneratorSaturated(RunFailed):
    pass
