//! The Lambda of the herald.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&herald::STEP, herald::run).await
}
