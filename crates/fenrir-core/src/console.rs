//! Where a person looks at something in the AWS console.

/// The page of an execution. `None` of what is no execution's ARN.
#[must_use]
pub fn execution(arn: &str) -> Option<String> {
    let (partition, region) = place(arn, "states")?;
    let host = host(partition);
    Some(format!(
        "https://{region}.{host}/states/home?region={region}#/v2/executions/details/{arn}"
    ))
}

/// The page of a stack. `None` of what is no stack's ARN.
#[must_use]
pub fn stack(arn: &str) -> Option<String> {
    let (partition, region) = place(arn, "cloudformation")?;
    let host = host(partition);
    let id = arn.replace(':', "%3A").replace('/', "%2F");
    Some(format!(
        "https://{region}.{host}/cloudformation/home?region={region}#/stacks/stackinfo?stackId={id}"
    ))
}

/// Partition and region of an ARN of this service, when they can stand in a URL.
fn place<'a>(arn: &'a str, service: &str) -> Option<(&'a str, &'a str)> {
    let mut parts = arn.split(':');
    let ("arn", partition, of, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?) else {
        return None;
    };
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_:/.".contains(c);
    (of == service && !region.is_empty() && region.chars().all(is_name) && arn.chars().all(is_safe))
        .then_some((partition, region))
}

/// Source: AWS documentation, "Amazon Web Services in China" and "AWS `GovCloud` (US) sign-up", of the console's hosts.
fn host(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_of_the_region_and_partition_of_its_arn() {
        assert_eq!(
            execution("arn:aws:states:eu-west-1:111122223333:execution:fenrir:r-1").as_deref(),
            Some(
                "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/\
                 arn:aws:states:eu-west-1:111122223333:execution:fenrir:r-1"
            )
        );
        assert_eq!(
            stack("arn:aws-cn:cloudformation:cn-north-1:111122223333:stack/a/b").as_deref(),
            Some(
                "https://cn-north-1.console.amazonaws.cn/cloudformation/home?region=cn-north-1#/stacks/stackinfo?stackId=\
                 arn%3Aaws-cn%3Acloudformation%3Acn-north-1%3A111122223333%3Astack%2Fa%2Fb"
            )
        );
    }

    #[test]
    fn what_is_no_arn_has_no_page() {
        for arn in [
            "",
            "arn:aws:states",
            "arn:aws:sqs:eu-west-1:1:q",
            "arn:aws:states:evil.example/:1:x",
            "arn:aws:states:eu-west-1:1:execution:fenrir:<script>",
        ] {
            assert_eq!(execution(arn), None, "{arn}");
        }
    }
}
