//! The Lambda of the state `WaitExecute`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&wait_execute::STEP, wait_execute::run).await
}
