"""Where MiniStack is kinder than AWS, and what makes it as strict.

One small function for each difference that could hide a fault of Fenrir's. Each names the difference and the source of
what AWS does. They patch the pinned version and refuse any other.
"""

from importlib import metadata

VERSION = "1.5.33"


def close() -> None:
    """Closes every gap. Must run before MiniStack serves its first request."""
    found = metadata.version("ministack")
    if found != VERSION:
        raise SystemExit(f"the gaps are written for ministack {VERSION}, and this is {found}: run `make .venv`")
    from . import (
        alarms, change_sets, conditions, creations, front, logs, machines, objects, passed_roles, principals, rules, stacks, streams, tags,
        templates,
    )

    for part in (objects, templates, change_sets, stacks, creations, tags, machines, passed_roles, principals, conditions, rules,
                 logs, streams, alarms, front):
        part.close()
