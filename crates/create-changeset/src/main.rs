//! The Lambda of the state `CreateChangeSet`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&create_changeset::STEP, create_changeset::run).await
}
