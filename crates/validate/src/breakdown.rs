//! The record of a release that Validate could not come to the end with: it was throttled away, cut off, killed, or lacks
//! a right. No lock was taken, so no later step and no watchdog writes anything down.

use fenrir_core::deployment::{Caught, Failure, Start, cut};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::problem::printable;
use fenrir_lambda::Environment;

use crate::{proof, refusal};

/// Bytes of what Lambda said, as JSON writes them: the rest of the sentence has room beside it.
const WORDS_LIMIT: usize = Failure::CAUSE_LIMIT - 200;
/// Characters of an error's name.
const NAME_LIMIT: usize = 100;

/// Proves the release again, and records that it failed; whether there is a record now. Of a release that is not proven
/// nothing is written, as when it is refused.
///
/// # Errors
/// When it could be neither proven nor recorded.
pub(crate) async fn record(env: &Environment, start: &Start, broke_down: &Caught) -> Result<bool, StepError> {
    let proven = match proof::decode(env, start) {
        Ok(release) => proof::prove(env, start, release).await,
        Err(error) => Err(error),
    };
    let proven = match proven {
        Ok(proven) => proven,
        Err(error) if error.name == ErrorName::BadReleaseError => return Ok(false),
        Err(error) => return Err(error),
    };
    let error = cut(&printable(&broke_down.error), NAME_LIMIT);
    let refused = refusal::Refused {
        error,
        cause: sentence(broke_down),
        stored: [].into(),
    };
    refusal::record(env, start, &proven, refused).await?;
    Ok(true)
}

fn sentence(broke_down: &Caught) -> String {
    let words = match printable(&broke_down.message()) {
        words if words.is_empty() => "nothing is said of the reason".to_owned(),
        words => words,
    };
    format!(
        "Validate broke down before anything was changed: {}; the execution and the step's log say more; run `fenrir deploy` \
         again",
        cut(&words, WORDS_LIMIT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(cause: &str) -> Caught {
        Caught {
            error: "Sandbox.Timedout".to_owned(),
            cause: cause.to_owned(),
        }
    }

    #[test]
    fn the_sentence_takes_the_reason_out_of_what_lambda_says() {
        for (cause, wanted) in [
            (
                r#"{"errorType": "TransientError", "errorMessage": "s3 is away"}"#,
                ": s3 is away; ",
            ),
            (
                "Task timed out after 900 seconds",
                ": Task timed out after 900 seconds; ",
            ),
            ("", ": nothing is said of the reason; "),
        ] {
            let sentence = sentence(&caught(cause));
            assert!(sentence.contains(wanted), "{sentence}");
            assert!(sentence.ends_with("run `fenrir deploy` again"), "{sentence}");
        }
    }

    #[test]
    fn the_sentence_fits_into_a_cause() {
        let sentence = sentence(&caught(&"\u{1f43a}\"".repeat(32 * 1024)));
        assert_eq!(cut(&sentence, Failure::CAUSE_LIMIT), sentence, "nothing of it is cut");
    }
}
