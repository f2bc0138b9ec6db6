//! The real-time class of a hot thread: taken only where it is allowed and does not stop the thread it should help.
//!
//! ```text
//!   settle ──► may this process? ──► would the kernel stop or kill a thread that spins? ──► taken once, on trial
//! ```
//!
//! Promises
//! - A thread that spins never takes the class while the kernel's throttle would hold it back in every second, or
//!   while the limit on real-time processor time would end the process.
//! - What is in the way is a sentence for people that says what to do; the engine then runs in the ordinary class.

use super::idle::IdleMode;
use super::machine::{Capability, Fact, Root, has_capability, limit};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// A priority of SCHED_FIFO, 1 to 99 (sched(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealTime(u8);

impl RealTime {
    /// Most the kernel has.
    pub const MOST: u8 = 99;

    /// A priority; `None` for 0, the ordinary class, and above [`Self::MOST`].
    pub const fn new(priority: u8) -> Option<Self> {
        if priority == 0 || priority > Self::MOST {
            None
        } else {
            Some(Self(priority))
        }
    }

    /// The priority.
    pub const fn priority(self) -> u8 {
        self.0
    }

    /// Puts the calling thread into the class.
    ///
    /// # Errors
    ///
    /// The kernel's reason, as a sentence for people.
    pub fn take(self) -> Result<(), String> {
        let value = ThreadPriorityValue::try_from(self.0)?;
        set_thread_priority_and_policy(
            thread_native_id(),
            ThreadPriority::Crossplatform(value),
            ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
        )
        .map_err(|error| format!("the kernel refuses: {error}"))
    }
}

/// Whether hot threads that wait like this, and leave `spare` cores to everything else, may take the class here. A thread takes it for a moment to find out.
///
/// # Errors
///
/// What is in the way and what to do about it; nothing was changed.
pub fn settle(root: &Root, class: RealTime, idle: IdleMode, spare: usize) -> Result<(), String> {
    may_take(root, class)?;
    if !idle.sleeps() {
        if spare == 0 {
            return Err(
                "threads that never sleep would keep everything else off every core this process may use; use                  idle = \"park\", or give it a core more"
                    .to_owned(),
            );
        }
        may_spin(root)?;
    }
    // A thread of its own: what it took ends with it.
    let trial = std::thread::scope(|scope| scope.spawn(|| class.take()).join());
    trial.unwrap_or_else(|_| Err("the trial failed".to_owned()))
}

/// Largest priority this process may take; `None` inside is any.
///
/// # Errors
///
/// [`super::machine::Unread`] where neither capabilities nor limits can be seen.
pub fn allowance(root: &Root) -> Fact<Option<u64>> {
    let nice = root.read("proc/self/status", |text| {
        has_capability(text, Capability::SysNice)
    });
    if nice == Ok(true) {
        return Ok(None);
    }
    root.read("proc/self/limits", |text| {
        limit(text, "Max realtime priority")
    })
}

/// Microseconds that real-time threads may run, and of how many; `None` when the throttle is lifted.
///
/// # Errors
///
/// [`super::machine::Unread`] where the kernel does not say.
pub fn throttle(root: &Root) -> Fact<Option<(i64, i64)>> {
    let runtime = root.number("proc/sys/kernel/sched_rt_runtime_us")?;
    let period = root
        .number("proc/sys/kernel/sched_rt_period_us")
        .unwrap_or(1_000_000);
    Ok((runtime >= 0 && runtime < period).then_some((runtime, period)))
}

fn may_take(root: &Root, class: RealTime) -> Result<(), String> {
    let priority = u64::from(class.priority());
    match allowance(root) {
        Ok(None) => Ok(()),
        Ok(Some(most)) if most >= priority => Ok(()),
        Ok(Some(most)) => Err(format!(
            "the limit RLIMIT_RTPRIO is {most} and there is no CAP_SYS_NICE; set LimitRTPRIO={priority} in the unit, \
             or ulimit -r {priority}"
        )),
        Err(why) => Err(why.to_string()),
    }
}

fn may_spin(root: &Root) -> Result<(), String> {
    match throttle(root) {
        Ok(None) => {}
        Ok(Some((runtime, period))) => {
            return Err(format!(
                "the kernel would stop a spinning thread for {} ms in every {} ms; lift the throttle (sysctl -w \
                 kernel.sched_rt_runtime_us=-1) and leave a core free of real-time threads, or isolate the core, \
                 which is better",
                (period - runtime) / 1_000,
                period / 1_000
            ));
        }
        Err(why) => {
            return Err(format!(
                "whether the kernel would stop it is not known: {why}"
            ));
        }
    }
    let most = root.read("proc/self/limits", |text| {
        limit(text, "Max realtime timeout")
    });
    match most {
        Ok(Some(most)) => Err(format!(
            "the kernel would end the process after {most} µs of spinning (RLIMIT_RTTIME); set \
             LimitRTTIME=infinity in the unit"
        )),
        Ok(None) => Ok(()),
        Err(why) => Err(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        /// A machine on which a spinning thread may be real-time up to `most`.
        fn fit(most: &str) -> Self {
            let machine = Self(tempfile::tempdir().expect("folder"));
            machine.put("proc/self/status", "CapEff:\t0000000000000000\n");
            machine.limits(most, "unlimited");
            machine.put("proc/sys/kernel/sched_rt_period_us", "1000000\n");
            machine.put("proc/sys/kernel/sched_rt_runtime_us", "-1\n");
            machine
        }

        fn limits(&self, priority: &str, time: &str) {
            let text = format!(
                "Max realtime priority     {priority} {priority}\n\
                 Max realtime timeout      {time} {time} us\n"
            );
            self.put("proc/self/limits", &text);
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, text).expect("file");
        }

        fn root(&self) -> Root {
            Root::at(self.0.path())
        }
    }

    fn class(priority: u8) -> RealTime {
        RealTime::new(priority).expect("within 1 to 99")
    }

    #[test]
    fn priorities_are_one_to_ninety_nine() {
        let priorities = [0, 1, 99, 100].map(|number| RealTime::new(number).is_some());
        assert_eq!(priorities, [false, true, true, false]);
    }

    #[test]
    fn the_limit_or_the_capability_decides_who_may() {
        let machine = Machine::fit("9");
        let root = machine.root();
        assert_eq!(may_take(&root, class(9)), Ok(()));
        let why = may_take(&root, class(10)).expect_err("above the limit");
        for part in ["RLIMIT_RTPRIO is 9", "CAP_SYS_NICE", "LimitRTPRIO=10"] {
            assert!(why.contains(part), "{part}: {why}");
        }
        machine.put("proc/self/status", "CapEff:\t0000000000800000\n");
        assert_eq!(may_take(&root, class(99)), Ok(()));
        let nothing = tempfile::tempdir().expect("folder");
        let why = may_take(&Root::at(nothing.path()), class(1)).expect_err("not known");
        assert!(why.contains("no /proc/self/limits"), "{why}");
    }

    #[test]
    fn a_spinning_thread_is_kept_from_a_throttle_that_stops_it_and_a_limit_that_ends_it() {
        let machine = Machine::fit("10");
        let root = machine.root();
        assert_eq!(may_spin(&root), Ok(()));
        machine.put("proc/sys/kernel/sched_rt_runtime_us", "950000\n");
        let why = settle(&root, class(10), IdleMode::Spin, 1).expect_err("throttled");
        for part in ["50 ms in every 1000 ms", "sched_rt_runtime_us=-1"] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert_eq!(settle(&root, class(10), IdleMode::Yield, 1), Err(why));
        let why = settle(&root, class(10), IdleMode::Yield, 0).expect_err("no core left");
        assert!(why.contains("a core more"), "{why}");
        machine.put("proc/sys/kernel/sched_rt_runtime_us", "1000000\n");
        assert_eq!(may_spin(&root), Ok(()), "all of the period");
        machine.limits("10", "200000");
        let why = may_spin(&root).expect_err("ended");
        assert!(why.contains("200000 µs") && why.contains("RTTIME"), "{why}");
        std::fs::remove_file(machine.0.path().join("proc/sys/kernel/sched_rt_runtime_us"))
            .expect("removed");
        let why = may_spin(&root).expect_err("not known");
        assert!(why.contains("no /proc/sys/kernel"), "{why}");
    }

    /// Class and priority of the calling thread: fields 41 and 40 of its stat (proc(5)).
    fn own() -> (String, String) {
        let text = std::fs::read_to_string("/proc/thread-self/stat").expect("/proc");
        let (_, rest) = text.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = rest.split_whitespace().collect();
        (fields[38].to_owned(), fields[37].to_owned())
    }

    #[test]
    fn what_is_settled_is_what_the_kernel_does() {
        let settled = settle(&Root::default(), class(3), IdleMode::Park, 0);
        let (taken, found) = std::thread::scope(|scope| {
            let trial = scope.spawn(|| (class(3).take(), own()));
            trial.join().expect("no panic")
        });
        assert_eq!(settled.is_ok(), taken.is_ok(), "{settled:?} {taken:?}");
        let (policy, priority) = if taken.is_ok() {
            ("1", "3")
        } else {
            ("0", "0")
        };
        assert_eq!(found, (policy.to_owned(), priority.to_owned()));
        assert_eq!(own().0, "0", "this thread stays as it was");
    }
}
