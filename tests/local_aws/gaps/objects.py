"""Objects in a bucket of another account: where code and templates of an application in a target account lie."""

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import lambda_svc, s3

from . import patch


def close() -> None:
    """Lambda and CloudFormation read from the deployer's bucket, which MiniStack looks for in the caller's account."""
    patch.everywhere(lambda_svc._fetch_code_from_s3, read)
    patch.everywhere(lambda_svc.s3_code_region_message, in_owners_scope(lambda_svc.s3_code_region_message))


def in_owners_scope(function):
    """Runs `function(bucket, ...)` in the account that owns the bucket."""
    def run(bucket, *rest, **named):
        owner = s3._bucket_owner_account(bucket) or get_account_id()
        with request_scope(owner, get_region()):
            return function(bucket, *rest, **named)
    return run


def read(bucket: str, key: str, version_id: str | None = None) -> bytes | None:
    """The bytes of an object or of one version of it; None where there is none."""
    return in_owners_scope(s3._get_object_data)(bucket, key, version_id)
