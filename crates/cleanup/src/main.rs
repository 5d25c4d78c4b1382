//! The Lambda of the state `CleanUp`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&cleanup::STEP, cleanup::run).await
}
