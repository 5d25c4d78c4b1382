//! The Lambda of the state Validate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&validate::STEP, validate::run).await
}
