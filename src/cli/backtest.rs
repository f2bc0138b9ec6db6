//! `tezi backtest`.

use super::Failure;

/// Runs strategies over bars or ticks from CSV files.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> Result<(), Failure> {
    Err(Failure::Failed("not built yet".to_owned()))
}
