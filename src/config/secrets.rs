//! Secret files: read once, owner only, never shown.

use crate::model::Secret;
use std::path::Path;

/// Longest secret, bytes.
const SECRET_MAX: u64 = 4_096;

/// Reads a file that holds one secret; the line end behind it is not part of it.
///
/// # Errors
///
/// A sentence when the file cannot be read, is empty or too large, or when others than its owner may read or
/// write it.
pub(super) fn read(path: &Path) -> Result<Secret, String> {
    let name = path.display();
    let unreadable = |error: std::io::Error| format!("secret file {name} cannot be read: {error}");
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > SECRET_MAX {
        return Err(format!(
            "secret file {name} is not a file of at most {SECRET_MAX} bytes"
        ));
    }
    check_mode(path, &metadata)?;
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let secret = text.trim();
    if secret.is_empty() || secret.chars().any(char::is_whitespace) {
        return Err(format!("secret file {name} does not hold exactly one word"));
    }
    Ok(Secret::new(secret.to_owned()))
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    let name = path.display();
    Err(format!(
        "secret file {name} has mode {mode:03o}, others can reach it; run: chmod 600 {name}"
    ))
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _metadata: &std::fs::Metadata) -> Result<(), String> {
    Ok(())
}
