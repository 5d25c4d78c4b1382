"""CloudWatch Logs: what a filter pattern lets through."""

import json
import re

from ministack.services import cloudwatch_logs

from . import patch


def close() -> None:
    original = cloudwatch_logs._compile_filter_pattern
    patch.everywhere(original, with_fields(original))


def with_fields(original):
    """A pattern of a field is held against the lines that are JSON objects; MiniStack lets every line through.

    Source: CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log events,
    and Live Tail", of JSON. Only the form that Fenrir writes is known, and any other is refused rather than let through.
    """
    def compile_filter_pattern(raw):
        pattern = (raw or "").strip()
        if not pattern.startswith("{"):
            return original(raw)
        found = re.fullmatch(r'\{\s*\$\.(\w+)\s*=\s*"([^"*%\\]*)"\s*\}', pattern)
        if not found:
            raise ValueError(f"a pattern that tests/local_aws/gaps/logs.py does not know: {pattern}")
        name, wanted = found.groups()
        return lambda line: field(line, name) == wanted
    return compile_filter_pattern


def field(line: str, name: str):
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found.get(name) if isinstance(found, dict) else None
