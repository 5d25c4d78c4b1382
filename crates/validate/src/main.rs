//! The Lambda of the states Validate and `RecordBreakdown`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&validate::STEP, validate::answer).await
}
