//! The Lambda of the state `WaitChangeSet`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&wait_changeset::STEP, wait_changeset::run).await
}
