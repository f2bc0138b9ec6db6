//! `tezi run`.

mod console;

use super::Failure;

/// Runs the engine against the venue or broker of a configuration.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_args: &Args) -> Result<(), Failure> {
    Err(Failure::Failed("not built yet".to_owned()))
}
