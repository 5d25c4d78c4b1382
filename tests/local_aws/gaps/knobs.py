"""What a test may turn while the local AWS runs: `POST /_fenrir/knobs` with the names below."""

import json
import os

KNOBS = {
    # Seconds before each resource of a stack operation, and before a deletion or a rollback.
    "stack_seconds": 0.3,
    # Seconds until a change set is made.
    "change_set_seconds": 0.3,
    # Seconds a state machine's TimeoutSeconds counts as one.
    "machine_timeout_scale": 1.0,
    # Seconds a second of a rule's rate counts as one; the clock is looked at every second.
    "schedule_scale": 1.0,
    # How many resources, from now on, a rollback cannot bring back.
    "failing_reverts": 0.0,
    # Whether functions hear of the streams of tables.
    "streams": 1.0,
}
KNOBS.update(json.loads(os.environ.get("FENRIR_KNOBS", "{}")))


def turn(wanted: dict) -> dict:
    """Sets the knobs of `wanted`; an unknown one is an error."""
    unknown = sorted(set(wanted) - set(KNOBS))
    if unknown:
        raise ValueError(f"no knob {', '.join(unknown)}; there are {', '.join(sorted(KNOBS))}")
    KNOBS.update({name: float(value) for name, value in wanted.items()})
    return KNOBS
