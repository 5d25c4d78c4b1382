//! Ctrl-C while a deploy is followed: it stops the watching, not the deploy.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// How often the flag is looked at: a person feels no difference below this.
const LOOK: Duration = Duration::from_millis(100);

/// Set by the first Ctrl-C. The second one ends the process at once.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C only sets the flag.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn listen() -> io::Result<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset and sets it, the second finds it set.
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(&raised))?;
            flag::register(signal, Arc::clone(&raised))?;
        }
        Ok(Self(raised))
    }

    /// Returns when the flag is set.
    pub async fn raised(&self) {
        while !self.0.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
    }
}
