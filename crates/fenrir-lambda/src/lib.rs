//! What the step Lambdas share: [`serve`] turns one async function into a Lambda, [`Environment`] gives it its
//! settings and its clients.
//!
//! A step is a function `async fn run(env: &Environment, input) -> Result<Deployment, StepError>` and a [`Step`]. The
//! same function runs in the Lambda and, with an [`Environment`] made by hand, in a test.

pub mod alert;
mod environment;
mod logs;
pub mod metrics;
mod serve;
mod session;
mod settings;

pub use environment::{Environment, Step};
pub use serve::{Answer, Error, Subject, serve};
pub use session::NoSession;
pub use settings::Settings;
