"""What the feature store of the benchmark can do. Data only."""

from typing import Literal, get_args

# `well` and `slow` differ in how long they take alone; `flapping` is well and down in turns.
Behaviour = Literal["well", "down", "hanging", "slow", "flapping", "garbage", "errors"]
FAULTS: tuple[Behaviour, ...] = tuple(each for each in get_args(Behaviour) if each != "well")
FLAP_SECONDS = 0.5
GARBAGE = b"<!doctype html><title>Sign in</title><p>This network asks you to sign in first."
