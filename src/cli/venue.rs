//! `tezi venue`.

use super::Failure;

/// Serves a simulated broker on loopback.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> Result<(), Failure> {
    Err(Failure::Failed("not built yet".to_owned()))
}
