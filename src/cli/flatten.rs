//! `tezi flatten`: no entries any more, and a running engine closes everything it holds.

use super::Failure;
use super::kill::{Target, act};
use crate::control::guard::Wish;

const EXAMPLES: &str = "\
Examples:
  tezi flatten --config config/run.toml
  tezi flatten --data-dir data --account AB1234 --why \"going home\"

The state becomes reducing (exits and cancels only) and stays so until tezi kill --resume --yes. Closing is
the engine's work: without one nothing is closed, and the exit code is 0 because the state is latched.
Without tezi: kill -USR2 PID. Exit codes are those of tezi kill.";

/// Allows exits only, and has the running engine close every position.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    target: Target,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    act(&args.target, Wish::Flatten)
}
