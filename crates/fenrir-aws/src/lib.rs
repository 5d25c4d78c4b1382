//! What an error of the AWS SDK means for Fenrir: [`fault`] turns any of them into a [`Fault`], which says whether to
//! try again, which right is missing, or what the service refused. [`calls`] counts what is asked of AWS.

pub mod calls;

use std::error::Error;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use fenrir_core::error::{Fault, FaultKind};

/// How the services spell "you may not". Sources: the common errors of the query protocols (`AccessDenied`,
/// `UnauthorizedOperation`) and of the JSON protocols (`AccessDeniedException`).
const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
    "NotAuthorized",
];

/// Codes of a failure on the service's side that may come with a 4xx status.
const SERVICE_FAILED: [&str; 5] = [
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "OperationAborted",
];

/// What `error` of a call that needs the right `action` (such as `dynamodb:PutItem`) means.
///
/// Whatever leaves it open whether the call took effect (no answer, half an answer, a 5xx) is
/// [`FaultKind::Transient`]: every call of Fenrir may be made twice.
pub fn fault<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().map(str::to_owned);
    let kind = match error {
        SdkError::ServiceError(_) => kind_of_answer(status, code.as_deref()),
        SdkError::ConstructionFailure(_) => FaultKind::Refused,
        SdkError::DispatchFailure(failure) if failure.is_user() => FaultKind::Refused,
        _ => FaultKind::Transient,
    };
    let message = error.message().map_or_else(|| chain(error), str::to_owned);
    Fault {
        kind,
        action,
        code,
        message,
    }
}

fn kind_of_answer(status: Option<u16>, code: Option<&str>) -> FaultKind {
    let is_in = |list: &[&str]| code.is_some_and(|code| list.contains(&code));
    if is_in(&DENIED) {
        return FaultKind::Denied;
    }
    // 403 without a code: S3's answer to a HEAD has no body.
    if status == Some(403) && code.is_none_or(|code| code == "Forbidden") {
        return FaultKind::Denied;
    }
    // A success that cannot be read is an answer that was cut off or changed on its way.
    let is_server_side = status.is_some_and(|status| status >= 500 || status == 429 || status < 300);
    if is_server_side || is_in(THROTTLING_ERRORS) || is_in(TRANSIENT_ERRORS) || is_in(&SERVICE_FAILED) {
        FaultKind::Transient
    } else {
        FaultKind::Refused
    }
}

/// The words of an error and of its causes, outermost first.
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_classified_by_code_and_status() {
        use FaultKind::{Denied, Refused, Transient};
        for (status, code, kind) in [
            (400, Some("ThrottlingException"), Transient),
            (400, Some("Throttling"), Transient),
            (400, Some("ProvisionedThroughputExceededException"), Transient),
            (400, Some("InternalFailure"), Transient),
            (409, Some("OperationAborted"), Transient),
            (429, None, Transient),
            (500, None, Transient),
            (200, None, Transient),
            (503, Some("SlowDown"), Transient),
            (400, Some("AccessDeniedException"), Denied),
            (403, Some("AccessDenied"), Denied),
            (403, Some("UnauthorizedOperation"), Denied),
            (403, None, Denied),
            (403, Some("ExpiredToken"), Refused),
            (400, Some("ValidationError"), Refused),
            (404, Some("NoSuchKey"), Refused),
        ] {
            assert_eq!(kind_of_answer(Some(status), code), kind, "{status} {code:?}");
        }
    }
}
