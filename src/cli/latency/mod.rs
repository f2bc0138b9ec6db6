//! `tezi latency`.

mod floor;

use super::Failure;

/// Measures tick to order, end to end, beside a floor client.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> Result<(), Failure> {
    Err(Failure::Failed("not built yet".to_owned()))
}
