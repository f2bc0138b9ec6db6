//! `tezi replay`.

use super::Failure;

/// Replays a recording through the same code, deterministically.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> Result<(), Failure> {
    Err(Failure::Failed("not built yet".to_owned()))
}
