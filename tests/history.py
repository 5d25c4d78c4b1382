"""The executions of the local AWS that `make demo KEEP=1` left running, and the states each entered."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "local_aws"))
import local_aws  # noqa: E402


def main() -> int:
    try:
        endpoint = json.loads((ROOT / ".local" / "demo.json").read_text())["endpoint"]
    except OSError:
        print("nothing is running: `make demo KEEP=1`", file=sys.stderr)
        return 1
    machines = local_aws.client(endpoint, "stepfunctions")
    machine = f"arn:aws:states:{local_aws.REGION}:{local_aws.ACCOUNT}:stateMachine:fenrir"
    for execution in reversed(machines.list_executions(stateMachineArn=machine)["executions"]):
        print(f"{execution['name']}  {execution['status']}")
        for page in machines.get_paginator("get_execution_history").paginate(executionArn=execution["executionArn"]):
            for event in page["events"]:
                if "stateEnteredEventDetails" in event:
                    print(f"  {event['timestamp']:%H:%M:%S.%f}"[:-3], event["stateEnteredEventDetails"]["name"])
        described = machines.describe_execution(executionArn=execution["executionArn"])
        if described.get("error"):
            print(f"  {described['error']}: {described.get('cause', '')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
