//! Where CloudFormation reads the template: always one version of one object.

use fenrir_core::deployment::Pointer;
use fenrir_core::owner::Owner;

/// The URL of the very bytes that `pointer` names. In AWS the bucket is the host; behind a custom `endpoint`
/// (`AWS_ENDPOINT_URL`) it is the first segment of the path.
///
/// Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets"; the DNS suffix of the partitions from
/// "Amazon Resource Names (ARNs)" of the AWS General Reference.
#[must_use]
pub fn template_url(pointer: &Pointer, owner: &Owner, endpoint: Option<&str>) -> String {
    let (bucket, region) = (&pointer.bucket, &owner.region);
    let base = if let Some(endpoint) = endpoint {
        format!("{}/{bucket}", endpoint.trim_end_matches('/'))
    } else {
        let suffix = match owner.partition() {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        format!("https://{bucket}.s3.{region}.{suffix}")
    };
    format!(
        "{base}/{}?versionId={}",
        encode(&pointer.key, "/!"),
        encode(&pointer.version_id, "")
    )
}

/// Percent-encoding of everything but RFC 3986's unreserved characters and `kept`.
fn encode(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || kept.contains(c) {
            out.push(c);
        } else {
            out.extend(["%", &format!("{byte:02X}")]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(region: &str, endpoint: Option<&str>) -> String {
        let owner = Owner {
            account: "111111111111".into(),
            region: region.into(),
            project: "a/b".into(),
            config: "dev".into(),
        };
        let pointer = Pointer {
            bucket: "fenrir-1-r".into(),
            key: "fenrir/1/r/a!b/dev/id/template.json".into(),
            version_id: "v+1&x=y".into(),
            sha256: "0".repeat(64),
        };
        template_url(&pointer, &owner, endpoint)
    }

    #[test]
    fn the_version_is_always_named_and_cannot_add_a_parameter() {
        assert_eq!(
            url("eu-west-1", None),
            "https://fenrir-1-r.s3.eu-west-1.amazonaws.com/fenrir/1/r/a!b/dev/id/template.json?versionId=v%2B1%26x%3Dy"
        );
        assert!(url("cn-north-1", None).starts_with("https://fenrir-1-r.s3.cn-north-1.amazonaws.com.cn/"));
    }

    #[test]
    fn a_custom_endpoint_is_asked_by_path() {
        assert!(
            url("eu-west-1", Some("http://127.0.0.1:4580/"))
                .starts_with("http://127.0.0.1:4580/fenrir-1-r/fenrir/1/r/a!b/")
        );
    }
}
