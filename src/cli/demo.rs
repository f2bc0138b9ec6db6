//! `tezi demo`.

use super::Failure;

/// Plays a seeded trading day: venue and engine as two processes, orders, fills, a summary.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> Result<(), Failure> {
    Err(Failure::Failed("not built yet".to_owned()))
}
