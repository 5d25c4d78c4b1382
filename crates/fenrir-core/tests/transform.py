"""Puts the accepted cases through the real SAM transform: writes <case>.processed.json beside each.

    .venv/bin/python crates/fenrir-core/tests/transform.py [--check] [CASE ...]

Without names it takes all cases. With --check nothing is written: it fails when a file would change, and when the transform refuses a case. cfn-lint
runs over the result where it is installed. The Rust tests read these files, so they need no Python.
"""

import json
import logging
import os
import pathlib
import sys
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402

# The translator tells of metrics and toggles that only AWS has.
logging.disable(logging.ERROR)

CASES = pathlib.Path(__file__).parent / "cases"
FOLDERS = ["accepted", "projects"]


class NoManagedPolicies:
    """Fenrir writes the roles itself, so the transform never needs one."""

    def load(self):
        return {}


def lint(text):
    try:
        from cfnlint.api import lint
    except ImportError:
        return []
    matches = lint(text, regions=[os.environ["AWS_DEFAULT_REGION"]])
    # Warnings are about style, such as the dependencies that SAM writes twice.
    return [match for match in matches if match.rule.id.startswith("E")]


def transformed(case):
    """What the transform makes of a case, as text, and what is wrong with that."""
    try:
        processed = transform(json.loads(case.with_suffix(".json").read_text(encoding="utf-8")), {}, NoManagedPolicies())
    except InvalidDocumentException as refusal:
        return None, [cause.message for cause in refusal.causes]
    for resource in processed["Resources"].values():
        # SAM keeps them in a set, so their order is another at every run.
        if isinstance(resource.get("DependsOn"), list):
            resource["DependsOn"].sort()
    text = json.dumps(processed, indent=2, ensure_ascii=False) + "\n"
    return text, [f"{match.rule.id} {match.message}" for match in lint(text)]


def main():
    check = "--check" in sys.argv[1:]
    names = [argument for argument in sys.argv[1:] if argument != "--check"]
    cases = sorted(case for folder in FOLDERS for case in (CASES / folder).glob("*.yaml"))
    cases = [case for case in cases if not names or case.stem in names]
    failures = []
    # The linter takes most of the time, and all of a processor.
    with ProcessPoolExecutor() as pool:
        for case, (text, problems) in zip(cases, pool.map(transformed, cases)):
            failures += [f"{case.name}: {problem}" for problem in problems]
            beside = case.with_suffix(".processed.json")
            if text and not check:
                beside.write_text(text, encoding="utf-8")
            elif text and (not beside.exists() or json.loads(beside.read_text(encoding="utf-8")) != json.loads(text)):
                failures.append(f"{case.name}: the transform gives something else than {beside.name}")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(cases)} cases, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
