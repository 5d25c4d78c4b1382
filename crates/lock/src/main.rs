//! The Lambda of the state Lock.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&lock::STEP, lock::run).await
}
