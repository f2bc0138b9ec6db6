//! Keeps every page of the process in memory, where the limit allows it.
//!
//! Promises
//! - Pages that exist are there before they are used, and so are those that come: a page fault on the hot path
//!   costs 1.5 µs, and the disk's time when the page was swapped out.
//! - Only without a limit: under a finite one a later allocation would fail, in the middle of the day.

use super::machine::{Capability, Root, has_capability, limit};
use rustix::mm::{MlockAllFlags, mlockall};

/// Locks what is mapped and whatever will be.
///
/// # Errors
///
/// Why not, as a sentence for people; nothing was changed then.
pub fn lock_memory(root: &Root) -> Result<(), String> {
    may_lock(root)?;
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
        .map_err(|error| format!("the kernel refuses: {error}"))
}

fn may_lock(root: &Root) -> Result<(), String> {
    let may = root.read("proc/self/status", |text| {
        has_capability(text, Capability::IpcLock)
    });
    if may == Ok(true) {
        return Ok(());
    }
    match root.read("proc/self/limits", |text| limit(text, "Max locked memory")) {
        Ok(None) => Ok(()),
        Ok(Some(bytes)) => Err(format!(
            "the limit is {} KiB; set LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited",
            bytes >> 10
        )),
        Err(why) => Err(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_capability_or_no_limit_at_all_lets_memory_be_locked() {
        let folder = tempfile::tempdir().expect("folder");
        let own = folder.path().join("proc/self");
        std::fs::create_dir_all(&own).expect("folder");
        let root = Root::at(folder.path());
        let put = |name: &str, text: &str| std::fs::write(own.join(name), text).expect("file");
        assert!(
            may_lock(&root)
                .expect_err("nothing known")
                .contains("no /proc")
        );
        put("status", "CapEff:\t0000000000000000\n");
        put(
            "limits",
            "Max locked memory         8388608 8388608 bytes\n",
        );
        assert!(may_lock(&root).expect_err("a limit").contains("8192 KiB"));
        assert!(lock_memory(&root).is_err());
        put(
            "limits",
            "Max locked memory         unlimited unlimited bytes\n",
        );
        assert_eq!(may_lock(&root), Ok(()));
        put("limits", "");
        assert!(may_lock(&root).is_err());
        put("status", "CapEff:\t0000000000004000\n");
        assert_eq!(may_lock(&root), Ok(()));
    }
}
