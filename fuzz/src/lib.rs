//! The bodies of the fuzz targets, for the targets.

mod bodies;

/// Gives `bytes` to the decoder of that name.
///
/// # Panics
///
/// When the decoder breaks a promise, and when there is none of that name.
pub fn run(name: &str, bytes: &[u8]) {
    bodies::run(name, bytes);
}
