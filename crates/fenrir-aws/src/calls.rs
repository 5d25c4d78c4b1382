//! What a step asks of AWS, counted where it leaves the process: calls by action, tries after the first, and answers
//! that say "too much".
//!
//! Counted at the HTTP client, because that is what an [`aws_types::SdkConfig`] hands to every client made of it: no
//! adapter has to know of it, and none can forget it. Nothing of a request is kept but the name of its action.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls by action, such as `dynamodb:PutItem`: each counted once, however often it was tried.
    pub calls: BTreeMap<String, u64>,
    /// Tries after the first, by action.
    pub retries: BTreeMap<String, u64>,
    /// Answers of a service that was asked too much, by action; most are followed by another try.
    pub throttles: BTreeMap<String, u64>,
}

/// The number of a kind.
#[must_use]
pub fn total(of: &BTreeMap<String, u64>) -> u64 {
    of.values().sum()
}

/// Counts calls. Clones count together.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Tally>>);

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

impl Calls {
    /// The client `http`, counted.
    #[must_use]
    pub fn counting(&self, http: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Counted {
            http,
            calls: self.clone(),
        })
    }

    /// What was counted since this was last asked.
    #[must_use]
    pub fn take(&self) -> Tally {
        self.with(std::mem::take)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Tally) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self, call: &Call) {
        self.with(|tally| {
            let counted = if call.attempt > 1 {
                &mut tally.retries
            } else {
                &mut tally.calls
            };
            *counted.entry(call.action.clone()).or_default() += 1;
        });
    }

    fn throttled(&self, call: Call) {
        self.with(|tally| *tally.throttles.entry(call.action).or_default() += 1);
    }
}

#[derive(Debug)]
struct Counted {
    http: SharedHttpClient,
    calls: Calls,
}

impl HttpClient for Counted {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            http: self.http.http_connector(settings, components),
            calls: self.calls.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.http.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector {
    http: SharedHttpConnector,
    calls: Calls,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::of(&request);
        self.calls.begin(&call);
        let calls = self.calls.clone();
        let answer = self.http.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            if is_throttle(&mut response).await? {
                calls.throttled(call);
            }
            Ok(response)
        })
    }
}

/// One try of a call.
struct Call {
    action: String,
    attempt: u32,
}

impl Call {
    fn of(request: &HttpRequest) -> Self {
        let header = |name: &str| request.headers().get(name).unwrap_or_default();
        // `attempt=2; max=4` (Smithy, "Retry behavior": the header `amz-sdk-request`).
        let attempt = header("amz-sdk-request")
            .split("; ")
            .find_map(|part| part.strip_prefix("attempt=")?.parse().ok());
        let service = service(header("authorization"));
        let operation = operation(request);
        Self {
            action: format!("{service}:{operation}"),
            attempt: attempt.unwrap_or(1),
        }
    }
}

/// The service as rights name it, from the scope of the signature: `Credential=KEY/20261121/us-east-1/dynamodb/aws4_request`.
fn service(authorization: &str) -> &str {
    let scope = authorization
        .split_once("Credential=")
        .and_then(|(_, rest)| rest.split(',').next());
    match scope.and_then(|scope| scope.rsplit('/').nth(1)) {
        // The one service of ours whose rights have another prefix than its signatures.
        Some("tagging") => "tag",
        Some(service) => service,
        None => "unsigned",
    }
}

/// The operation: where it stands depends on the service's protocol.
fn operation(request: &HttpRequest) -> &str {
    // JSON protocols: `DynamoDB_20120810.PutItem`.
    if let Some((_, operation)) = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.rsplit_once('.'))
    {
        return operation;
    }
    // Query protocols: a form that begins with the action.
    if let Some(form) = request.body().bytes().and_then(|body| body.strip_prefix(b"Action=")) {
        let name = form.split(|byte| *byte == b'&').next().unwrap_or_default();
        return std::str::from_utf8(name).unwrap_or("unknown");
    }
    // S3 names some of its operations in the query, for just this purpose.
    let query = request.uri().split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("x-id="))
        .unwrap_or_else(|| request.method())
}

/// Whether the service says that it was asked too much. The body of an error is a few hundred bytes, which the SDK would
/// read whole next; what is read here is put back.
async fn is_throttle(response: &mut HttpResponse) -> Result<bool, ConnectorError> {
    let status = response.status().as_u16();
    if status < 400 {
        return Ok(false);
    }
    if response.body().bytes().is_none() {
        let body = ByteStream::new(response.take_body()).collect().await;
        let bytes = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
        *response.body_mut() = SdkBody::from(bytes);
    }
    let in_header = response.headers().get("x-amzn-errortype").map(short);
    let code = in_header.or_else(|| code(response.body().bytes().unwrap_or_default()));
    Ok(status == 429 || code.is_some_and(|code| THROTTLING_ERRORS.contains(&code)))
}

/// The error's code in a body: `"__type": "com.amazonaws.dynamodb#ThrottlingException"`, or `<Code>Throttling</Code>`.
fn code(body: &[u8]) -> Option<&str> {
    let body = std::str::from_utf8(body).ok()?;
    if let Some((_, rest)) = body.split_once("<Code>") {
        return rest.split('<').next();
    }
    let (_, rest) = body.split_once("\"__type\"")?;
    rest.split('"').nth(1).map(short)
}

/// An error's code without its name space and without what follows a colon.
fn short(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn request(headers: &[(&'static str, &'static str)], uri: &str, body: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri(uri).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        request
    }

    #[test]
    fn a_call_is_named_like_the_right_that_it_needs() {
        let signed = |service: &'static str| {
            let header: &'static str = Box::leak(
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/{service}/aws4_request, SignedHeaders=host"
                )
                .into_boxed_str(),
            );
            ("authorization", header)
        };
        for (request, action, attempt) in [
            (
                request(
                    &[
                        signed("dynamodb"),
                        ("x-amz-target", "DynamoDB_20120810.PutItem"),
                        ("amz-sdk-request", "attempt=1; max=4"),
                    ],
                    "https://dynamodb.us-east-1.amazonaws.com/",
                    "{}",
                ),
                "dynamodb:PutItem",
                1,
            ),
            (
                request(
                    &[
                        signed("tagging"),
                        ("x-amz-target", "ResourceGroupsTaggingAPI_20170126.GetResources"),
                    ],
                    "https://tagging.us-east-1.amazonaws.com/",
                    "{}",
                ),
                "tag:GetResources",
                1,
            ),
            (
                request(
                    &[signed("cloudformation"), ("amz-sdk-request", "ttl=x; attempt=3; max=4")],
                    "https://cloudformation.us-east-1.amazonaws.com/",
                    "Action=DescribeStacks&Version=2010-05-15&StackName=Action%3Dother",
                ),
                "cloudformation:DescribeStacks",
                3,
            ),
            (
                request(
                    &[signed("s3")],
                    "https://b.s3.us-east-1.amazonaws.com/k?versionId=1&x-id=GetObject",
                    "",
                ),
                "s3:GetObject",
                1,
            ),
            (request(&[], "http://localhost/", ""), "unsigned:GET", 1),
        ] {
            let call = Call::of(&request);
            assert_eq!((call.action.as_str(), call.attempt), (action, attempt));
        }
    }

    #[test]
    fn an_errors_code_is_found_in_every_protocol() {
        for (body, found) in [
            (
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"x"}"#,
                Some("ThrottlingException"),
            ),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code></Error></ErrorResponse>",
                Some("Throttling"),
            ),
            ("<Error><Code>SlowDown</Code></Error>", Some("SlowDown")),
            ("", None),
            ("no JSON", None),
        ] {
            assert_eq!(code(body.as_bytes()), found, "{body}");
        }
        assert_eq!(
            short("ThrottledException:http://internal.amazon.com/"),
            "ThrottledException"
        );
    }
}
