"""The generator's process: a plan on standard input, what was measured or what failed on standard output, as JSON."""

import gc
import json
import resource
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.failures import NotMeasurable, RunFailed
from benchmarks.load_generator import answers, outcome, precedence, window
from benchmarks.load_generator.forms import FORMS
from benchmarks.load_generator.plan import Measured, Plan
from benchmarks.load_generator.records import Records


def measure(plan: Plan) -> Measured:
    """Raises RunFailed unless every request came to an end that the plan allows, and every answer was right."""
    form = FORMS[plan.form]
    bodies = [form.body(line) for line in plan.bodies.read_bytes().splitlines()]
    expected = [json.loads(line) for line in plan.expected.read_bytes().splitlines()]
    if not bodies or len(bodies) != len(expected):
        raise NotMeasurable(f"there are {len(bodies)} bodies and {len(expected)} expected answers")
    records = Records()
    asked = window.run(plan, bodies, records)
    answers.check(records.answers, bodies, expected, tolerance=plan.tolerance, form=form)
    outcome.check_statuses(plan, records)
    return outcome.measured(plan, records, asked)


def main() -> int:
    # Each connection is a descriptor, and an overloaded server answers none of thousands for a while.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A collection would be a pause in the schedule.
    gc.freeze()
    gc.disable()
    plan = Plan.from_json(json.load(sys.stdin))
    precedence.take(plan.load)
    result: dict[str, Any]
    try:
        result = {"measured": asdict(measure(plan))}
    except RunFailed as failure:
        result = {"failed": type(failure).__name__, "reason": str(failure)}
    json.dump(result, sys.stdout, allow_nan=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
