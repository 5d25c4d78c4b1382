//! The Lambda of the state `ReleaseLock`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&release_lock::STEP, release_lock::run).await
}
