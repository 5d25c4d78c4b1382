//! The Lambda of the state `Execute`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&execute::STEP, execute::run).await
}
