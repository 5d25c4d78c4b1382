"""The Resource Groups Tagging API: more services, nothing untagged, at most 100 ARNs."""

from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1, cloudwatch_logs, kinesis, stepfunctions, tagging

# Source: Resource Groups Tagging API, GetResources, ResourceARNList.
MOST_ARNS = 100


def close() -> None:
    tagging._COLLECTORS.update({
        "kinesis": kinesis_streams,
        "logs": log_groups,
        "secretsmanager": tagging._collect_secretsmanager,
        "ssm": tagging._collect_ssm,
        "states": state_machines,
        "apigateway": rest_apis,
    })
    for name, collector in tagging._COLLECTORS.items():
        tagging._COLLECTORS[name] = only_tagged(collector)
    tagging._HANDLERS["GetResources"] = at_most(tagging._HANDLERS["GetResources"])


def only_tagged(collector):
    """A resource that never had a tag is not listed. Source: GetResources, "tagged or previously tagged resources"."""
    def collect():
        return ((arn, tags) for arn, tags in collector() if tags)
    return collect


def at_most(original):
    """More than 100 ARNs are refused."""
    def get_resources(data):
        if len(data.get("ResourceARNList", [])) > MOST_ARNS:
            return tagging._invalid_parameter(f"ResourceARNList must have at most {MOST_ARNS} items")
        return original(data)
    return get_resources


def kinesis_streams():
    for name, stream in kinesis._streams.items():
        yield own_arn("kinesis", f"stream/{name}"), tagging._normalise_flat(stream["tags"])


def log_groups():
    for name, group in cloudwatch_logs._log_groups.items():
        yield own_arn("logs", f"log-group:{name}"), tagging._normalise_flat(group["tags"])


def state_machines():
    for arn, tags in stepfunctions._tags.items():
        yield arn, [{"Key": tag["key"], "Value": tag["value"]} for tag in tags]


def rest_apis():
    for arn, tags in apigateway_v1._v1_tags.items():
        yield arn, tagging._normalise_flat(tags)


def own_arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{rest}"
