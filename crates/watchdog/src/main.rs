//! The Lambda of the watchdog.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fenrir_lambda::Error> {
    fenrir_lambda::serve(&watchdog::STEP, watchdog::run).await
}
