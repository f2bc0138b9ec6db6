//! `tezi readings`.

use super::Failure;

/// Prints every reading and condition of a file of bars.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> Result<(), Failure> {
    Err(Failure::Failed("not built yet".to_owned()))
}
