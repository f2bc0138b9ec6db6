//! The `tezi` program: parse arguments, run a verb, exit with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tezi::cli::main()
}
