//! Keeps bars and indicators of a run on the disk, behind the deciding stage.
//!
//! ```text
//!   control ── round ──► deciding stage ── a record a unit ──► collected ── whole round ──► thread ── file
//! ```
//!
//! Promises
//! - The deciding stage copies; collecting is control's, and the disk a thread's of its own: the journal waits for
//!   neither.
//! - A file has every unit of one round, or the one before stays. A round that lost a record is asked for again.
//! - One round every [`PERIOD_NS`]; sooner, but not before [`HURRY_NS`], when a bar closed or something was decided.
//! - A disk that refuses costs the checkpoint and nothing else: it is told once, and tried again.

use crate::model::{MonoNanos, Stamp, Token, WallNanos};
use crate::ring::{ByteReceiver, Lossless};
use crate::store::checkpoint::{Checkpoint, Handed, Head, Kept};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Time between two rounds.
pub const PERIOD_NS: u64 = 5_000_000_000;
/// The same after a bar closed or something was decided.
pub const HURRY_NS: u64 = 1_000_000_000;
/// A round that is not whole by then has lost a record.
const PATIENCE_NS: u64 = 30_000_000_000;

/// What a checkpoint says besides the states.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where the file lies.
    pub path: PathBuf,
    /// What it is of; `taken` is filled in.
    pub head: Head,
    /// Number and name of each unit, in their order.
    pub units: Vec<(Token, String)>,
}

/// Collects rounds and has them written.
#[derive(Debug)]
pub struct Keeper {
    identity: Identity,
    ask: Lossless<u64>,
    records: ByteReceiver,
    bytes: Vec<u8>,
    round: u64,
    asked: Stamp,
    is_asked: bool,
    is_hurried: bool,
    found: Vec<Option<Kept>>,
    writer: Option<Writer>,
    is_told: bool,
    /// Checkpoints handed to the disk.
    pub rounds: u64,
}

#[derive(Debug)]
struct Writer {
    work: Sender<Checkpoint>,
    faults: Receiver<io::Error>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(path: PathBuf) -> io::Result<Self> {
        let (work, given) = bounded::<Checkpoint>(1);
        let (fault, faults) = bounded(1);
        let write = move || {
            for checkpoint in given {
                if let Err(error) = checkpoint.write(&path) {
                    // A fault that nobody has taken yet says the same.
                    fault.try_send(error).ok();
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(write)?;
        Ok(Self {
            work,
            faults,
            thread,
        })
    }
}

impl Keeper {
    /// Asks through `ask`, and collects what comes in `records`.
    ///
    /// # Errors
    ///
    /// When the system refuses the thread that writes.
    pub fn start(
        identity: Identity,
        ask: Lossless<u64>,
        records: ByteReceiver,
    ) -> io::Result<Self> {
        let writer = Writer::start(identity.path.clone())?;
        Ok(Self {
            found: vec![None; identity.units.len()],
            identity,
            ask,
            records,
            bytes: Vec::new(),
            round: 0,
            asked: Stamp::default(),
            is_asked: false,
            is_hurried: false,
            writer: Some(writer),
            is_told: false,
            rounds: 0,
        })
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.identity.path
    }

    /// A bar closed or something was decided: the next round comes sooner.
    pub const fn hurry(&mut self) {
        self.is_hurried = true;
    }

    /// Asks when it is time, collects what came, and hands a whole round to the disk. Returns what the disk refused,
    /// once.
    pub fn turn(&mut self, now: Stamp) -> Option<String> {
        if self.identity.units.is_empty() {
            return None;
        }
        self.collect();
        let age = now.mono.since(self.asked.mono);
        if self.is_asked && self.found.iter().all(Option::is_some) {
            self.is_asked = false;
            self.hand_on();
        }
        let wait = match (self.is_asked, self.is_hurried) {
            (true, _) => PATIENCE_NS,
            (false, true) => HURRY_NS,
            (false, false) => PERIOD_NS,
        };
        if (age >= wait || self.asked.mono == MonoNanos(0)) && self.ask.push(self.round + 1).is_ok()
        {
            self.round += 1;
            (self.asked, self.is_asked, self.is_hurried) = (now, true, false);
            self.found.fill(None);
        }
        let error = self.writer.as_ref()?.faults.try_recv().ok()?;
        let is_first = !std::mem::replace(&mut self.is_told, true);
        is_first.then(|| self.fault(&error))
    }

    fn fault(&self, error: &io::Error) -> String {
        format!(
            "ALARM {}: no checkpoint can be written ({error}): a start after this builds bars from history",
            self.identity.path.display()
        )
    }

    /// Takes the records that wait; those of an older round are let go.
    fn collect(&mut self) {
        self.records.drain(&mut self.bytes);
        let mut rest = self.bytes.as_slice();
        while let Some((handed, later)) = Handed::first(rest) {
            rest = later;
            let number = usize::try_from(handed.unit).unwrap_or(usize::MAX);
            let of = self.identity.units.get(number);
            let (Some(place), Some((token, name))) = (self.found.get_mut(number), of) else {
                continue;
            };
            if handed.round == self.round {
                *place = Some(Kept {
                    token: *token,
                    known_until: handed.known_until,
                    name: name.clone(),
                    state: handed.state.to_vec(),
                });
            }
        }
        let used = self.bytes.len() - rest.len();
        self.bytes.drain(..used);
    }

    fn hand_on(&mut self) {
        let units: Vec<Kept> = self.found.iter_mut().filter_map(Option::take).collect();
        let checkpoint = self.checkpoint(units, self.asked.wall);
        // A disk that is still busy with the one before gets the next.
        let is_taken = self
            .writer
            .as_ref()
            .is_some_and(|writer| writer.work.try_send(checkpoint).is_ok());
        self.rounds += u64::from(is_taken);
    }

    fn checkpoint(&self, units: Vec<Kept>, taken: WallNanos) -> Checkpoint {
        let head = Head {
            taken,
            ..self.identity.head.clone()
        };
        Checkpoint { head, units }
    }

    /// Writes the last states of a run, each with how far it is known, and waits for the disk.
    ///
    /// # Errors
    ///
    /// The sentence of a disk that refuses.
    pub fn end(&mut self, states: Vec<(WallNanos, Vec<u8>)>, now: WallNanos) -> Result<(), String> {
        if let Some(writer) = self.writer.take() {
            drop(writer.work);
            // A thread that panicked has ended too; what it wrote is whole or not there.
            drop(writer.thread.join());
        }
        if states.is_empty() || states.len() != self.identity.units.len() {
            return Ok(());
        }
        let named = self.identity.units.iter().zip(states);
        let units = named.map(|((token, name), (known_until, state))| Kept {
            token: *token,
            known_until,
            name: name.clone(),
            state,
        });
        let checkpoint = self.checkpoint(units.collect(), now);
        checkpoint
            .write(&self.identity.path)
            .map_err(|error| self.fault(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Day;
    use crate::ring::lane::Policy;
    use crate::ring::{ByteSender, Receiver as Lane, bytes, lossless};

    struct Rig {
        keeper: Keeper,
        asked: Lane<u64>,
        states: ByteSender,
        folder: tempfile::TempDir,
    }

    fn rig() -> Rig {
        let folder = tempfile::tempdir().expect("folder");
        let (ask, asked, _) = lossless("ask", 2, Policy::Stall);
        let (states, records) = bytes(200);
        let identity = Identity {
            path: folder.path().join("deep/7.state"),
            head: Head {
                account: 7,
                day: Day(20_780),
                taken: WallNanos(0),
                plan: [1; 32],
                origin: "x".to_owned(),
            },
            units: vec![(Token(1), "a".to_owned()), (Token(2), "b".to_owned())],
        };
        let keeper = Keeper::start(identity, ask, records).expect("a thread");
        Rig {
            keeper,
            asked,
            states,
            folder,
        }
    }

    impl Rig {
        fn answer(&mut self, round: u64, unit: u32, state: &[u8]) {
            let handed = Handed {
                round,
                unit,
                known_until: WallNanos(i64::from(unit)),
                state,
            };
            self.states.push(&[&handed.head(), state]);
        }

        fn turn(&mut self, seconds: u64) -> Option<String> {
            self.keeper.turn(Stamp {
                mono: MonoNanos(seconds * 1_000_000_000 + 1),
                wall: WallNanos(i64::try_from(seconds).expect("small")),
            })
        }

        /// What lies on the disk once the thread has ended.
        fn end(mut self) -> (Option<Checkpoint>, tempfile::TempDir) {
            let path = self.keeper.path().to_owned();
            self.keeper.end(Vec::new(), WallNanos(0)).expect("ended");
            (Checkpoint::read(&path).ok(), self.folder)
        }
    }

    #[test]
    fn a_whole_round_is_written_and_a_part_of_one_is_not() {
        let mut rig = rig();
        assert_eq!((rig.turn(1), rig.asked.pop()), (None, Some(1)));
        rig.answer(1, 0, b"first");
        rig.turn(2);
        assert_eq!(rig.keeper.rounds, 0, "one unit is missing");
        rig.answer(1, 1, b"second");
        rig.turn(3);
        assert_eq!((rig.keeper.rounds, rig.asked.pop()), (1, None));
        // The next round comes after its time, and what is late of the one before is not taken for it.
        rig.turn(6);
        assert_eq!(rig.asked.pop(), Some(2));
        rig.answer(1, 0, b"late");
        rig.answer(2, 1, b"new");
        rig.turn(7);
        assert_eq!(rig.keeper.rounds, 1);
        let (kept, _folder) = rig.end();
        let kept = kept.expect("a checkpoint");
        assert_eq!((kept.head.taken, kept.units.len()), (WallNanos(1), 2));
        assert_eq!(kept.units[1].state, b"second");
        assert_eq!(kept.units[1].known_until, WallNanos(1));
    }

    #[test]
    fn a_lost_record_costs_its_round_and_a_decision_hurries_the_next() {
        let mut rig = rig();
        rig.turn(1);
        rig.answer(1, 0, &[7; 300]);
        rig.answer(1, 1, b"fits");
        for second in 2..31 {
            rig.turn(second);
        }
        assert_eq!(rig.asked.pop(), Some(1));
        rig.turn(31);
        assert_eq!((rig.keeper.rounds, rig.asked.pop()), (0, Some(2)));
        rig.answer(2, 0, b"0");
        rig.answer(2, 1, b"1");
        rig.turn(32);
        assert_eq!((rig.keeper.rounds, rig.asked.pop()), (1, None));
        rig.keeper.hurry();
        rig.turn(33);
        assert_eq!(rig.asked.pop(), Some(3));
    }

    #[test]
    fn a_disk_that_refuses_is_told_once() {
        let mut rig = rig();
        // A file stands where the folder is to be.
        std::fs::write(rig.folder.path().join("deep"), b"").expect("written");
        let mut told = Vec::new();
        for round in 1..=3_u64 {
            rig.turn(round * 6);
            rig.answer(round, 0, b"0");
            rig.answer(round, 1, b"1");
            rig.turn(round * 6 + 1);
            if round == 1 {
                // The thread is given its time by waiting for its fault, which is put back.
                let writer = rig.keeper.writer.as_ref().expect("a thread");
                let fault = writer.faults.recv().expect("refused");
                told.push(rig.keeper.fault(&fault));
                rig.keeper.is_told = true;
            }
            told.extend(rig.turn(round * 6 + 2));
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("no checkpoint can be written"), "{told:?}");
        let states = vec![(WallNanos(0), vec![1]), (WallNanos(0), vec![2])];
        let said = rig.keeper.end(states, WallNanos(9)).expect_err("refused");
        assert!(said.starts_with("ALARM "), "{said}");
    }

    #[test]
    fn the_last_states_of_a_run_replace_what_was_written() {
        let mut rig = rig();
        let path = rig.keeper.path().to_owned();
        let states = vec![(WallNanos(5), vec![1]), (WallNanos(6), vec![2, 3])];
        rig.keeper.end(states, WallNanos(9)).expect("written");
        let kept = Checkpoint::read(&path).expect("a checkpoint");
        assert_eq!(
            (kept.head.taken, kept.units[1].state.len()),
            (WallNanos(9), 2)
        );
        assert_eq!(kept.units[0].name, "a");
    }
}
