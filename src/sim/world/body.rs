//! Births, lives and deaths of the process inside a world.
//!
//! A death is exact: the bytes of a turn are handed over after it, so a process can be stopped behind any record it
//! wrote. What it wrote later is taken back from the disk, what it sent later never left.

use super::checks::{Adoption, Violation};
use super::life::{Birth, Life};
use super::network::Sent;
use super::outcome::add;
use super::plan::Death;
use super::run::{Event, Run, is_about_orders};
use super::start::{Progress, Start};
use crate::control::inquire::Notice;
use crate::control::recover::Recovered;
use crate::hot::gateway::GatewayEvent;
use crate::journal::reader::Tail;
use crate::journal::recover::Carried;
use crate::journal::{Entry, Record};
use crate::model::{Command, Fill, OrderState, WallNanos};
use crate::venue::Auth;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// How long an operator waits before starting again because the venue had lost orders.
const PATIENCE: u64 = 16 * SECOND;
/// Turns of the gateway in one step, before the world suspects it of never resting.
const TURNS: usize = 200;

impl Run {
    /// Whatever there is of a process does what it does.
    pub(super) fn exist(&mut self) -> Result<(), String> {
        let is_within = |(from, to): &(u64, u64)| (*from..*to).contains(&self.now);
        if self.plan.stopped.iter().any(is_within) {
            return Ok(());
        }
        if self.life.is_some() {
            return self.live();
        }
        if self.start.is_some() {
            return self.prepare();
        }
        if self.now >= self.down_until {
            let chance = f64::from(self.knobs.flips);
            if chance > 0.0 && self.dead > 0 && self.fate.chance(chance) {
                let flipped = self.disk.flip(self.fate.below(u32::MAX));
                flipped.map_err(|fault| fault.to_string())?;
                self.trace.line(self.now, || "a bit flips".to_owned());
                self.flipped += 1;
            }
            let journal = self.disk.read();
            let journal =
                journal.map_err(|fault| format!("the journal cannot be read: {fault}"))?;
            self.trace.line(self.now, || {
                let end = if journal.torn.is_some() {
                    "torn"
                } else {
                    "whole"
                };
                format!("start, {} records, {end}", journal.records.len())
            });
            self.earlier = journal.records.len();
            let echoes = self.plan.echoes_tags;
            self.start = Some(Start::new(&journal, &self.wire, self.now, echoes));
        }
        Ok(())
    }

    /// A start goes on: the venue's books are read until they are believed.
    fn prepare(&mut self) -> Result<(), String> {
        let Some(mut start) = self.start.take() else {
            return Ok(());
        };
        let progress = start.step(self.now, &self.ground, &self.auth);
        self.hand_over();
        match progress {
            Progress::Waits => self.start = Some(start),
            Progress::Again(why) => {
                self.trace.line(self.now, || match &why {
                    Some(why) => format!("start: {why}"),
                    None => "start: no answer".to_owned(),
                });
                self.start = Some(start);
            }
            Progress::SessionDead => {
                self.log_in();
                self.down_until = self.now + SECOND;
            }
            Progress::Agreed(recovered) => {
                self.trace
                    .line(self.now, || format!("agreed {:?}", recovered.verdicts));
                for alarm in &recovered.alarms {
                    self.trace.line(self.now, || format!("alarm {alarm:?}"));
                    self.recovered.push(format!("{alarm:?}"));
                }
                if recovered.fence {
                    self.trace.line(self.now, || "refuses to trade".to_owned());
                    self.refuses = true;
                    self.down_until = u64::MAX;
                    return Ok(());
                }
                if !recovered.halted.is_empty() {
                    // An operator is told what the venue lost, and starts again when the venue has found it.
                    self.deaths.push((self.now + PATIENCE, Death::Between));
                    self.deaths.sort_by_key(|(at, _)| *at);
                }
                self.be_born(Some((start, recovered)))?;
            }
        }
        Ok(())
    }

    /// A process trades from now on; `left` is what an earlier one left.
    pub(super) fn be_born(&mut self, left: Option<(Start, Box<Recovered>)>) -> Result<(), String> {
        let step = if self.lives % 2 == 1 {
            self.knobs.clock_step_ns
        } else {
            0
        };
        let wall = self.moment().market.offset(step);
        let time_based = u64::try_from(wall.time_of_day() / 1_000_000_000).unwrap_or(0) * 600;
        let next = left
            .as_ref()
            .map_or(0, |(_, recovered)| recovered.next_intent.0);
        let intent_base = time_based.max(next.saturating_sub(1));
        let tail = left
            .as_ref()
            .map_or_else(Tail::default, |(start, _)| start.tail);
        self.disk
            .begin(WallNanos(i64::try_from(self.now).unwrap_or(0)).offset(step));
        self.wire.lock().set_now(self.now);
        let birth = Birth {
            ground: &self.ground,
            plan: &self.plan,
            knobs: &self.knobs,
            wire: &self.wire,
            auth: &self.auth,
            tail,
            intent_base,
            now: self.now,
            opens: self.opens.offset(step),
            state: self.state.clone(),
        };
        let life = Life::new(&birth, &mut self.disk);
        let Some(mut life) = life.map_err(|error| format!("the journal: {error}"))? else {
            // Without a journal nobody starts.
            self.down_until = self.now + SECOND;
            return Ok(());
        };
        let now = life.set_now(self.now);
        self.lives += 1;
        let lives = self.lives;
        self.trace.line(self.now, || {
            format!("life {lives} begins, intents from {intent_base}")
        });
        if let Some((start, recovered)) = left {
            let mut carried = recovered.carried(&start.replayed, now.wall);
            if self.knobs.forgets {
                carried = Carried::default();
            }
            life.gateway.resume(&carried, now);
            for record in &carried.orders {
                let token = self.ground.token(record.order.instrument);
                life.inquiry.carry(record, token, (now.mono, now.wall));
                self.orders.insert(record.order.tag, record.order);
            }
            self.note_adopted(&recovered.adopted);
            self.trader.resume(&carried.fills, intent_base + 1);
            let written = life.gateway.journal().written();
            if self.is_killed_by(written) {
                if let Some((_, end)) = self.down.last_mut() {
                    *end = self.now;
                }
                return self.dies_at_kill(&life, (start.tail.sequence, written), &[]);
            }
        } else {
            self.trader.resume(&[], intent_base + 1);
        }
        if let Some((_, end)) = self.down.last_mut() {
            *end = self.now;
        }
        self.life = Some(Box::new(life));
        for _ in 0..self.plan.connections {
            self.dial();
        }
        Ok(())
    }

    /// Notes what a start takes over.
    fn note_adopted(&mut self, fills: &[Fill]) {
        for fill in fills {
            // `A` and the broker's number.
            let number = fill.tag.as_str().trim_start_matches('A');
            let row = self.ground.row(fill.instrument);
            self.adopted.push(Adoption {
                real: self.now,
                order: number.parse().unwrap_or(0),
                symbol: row.map_or_else(String::new, |row| row.symbol.clone()),
                units: fill.side.sign() * i64::from(fill.qty.0),
            });
        }
    }

    fn dial(&mut self) {
        let most = if self.is_calm {
            self.plan.calm.dial_ms
        } else {
            self.plan.network.dial_ms
        };
        let at = self.now + MS * u64::from(self.fate.below(most.max(1)));
        self.at(at, Event::Dial(self.lives));
    }

    /// The process has its turns, unless it dies in one.
    fn live(&mut self) -> Result<(), String> {
        let Some(mut life) = self.life.take() else {
            return Ok(());
        };
        life.set_now(self.now);
        life.prepare(&mut self.disk)
            .map_err(|error| format!("the journal: {error}"))?;
        life.push_commands();
        life.push_intents();
        let death = self
            .deaths
            .first()
            .filter(|(at, _)| *at <= self.now)
            .map(|(_, how)| *how);
        if death == Some(Death::Between) {
            self.deaths.remove(0);
            self.die(&life, "between two turns");
            return Ok(());
        }
        if self.turns(&mut life, death.is_some())? {
            return Ok(());
        }
        let mut is_session_dead = self.listen(&mut life);
        let (commands, is_dead) = if self.now / MS < self.knobs.deaf_after_ms {
            life.inquiry.step(self.now, life.mono(self.now))
        } else {
            (Vec::new(), false)
        };
        is_session_dead |= is_dead;
        self.hand_over();
        for command in commands {
            self.trace
                .line(self.now, || format!("inquirer {command:?}"));
            life.command(command);
        }
        for notice in std::mem::take(&mut life.inquiry.notices) {
            self.trace.line(self.now, || format!("inquirer {notice:?}"));
            if let Notice::Lookalike { tag, .. } = notice {
                self.visible.insert(tag);
            }
        }
        if self.turns(&mut life, death.is_some())? {
            return Ok(());
        }
        is_session_dead |= self.listen(&mut life);
        if is_session_dead {
            self.log_in();
            self.die(&life, "because its session did");
            return Ok(());
        }
        self.life = Some(life);
        Ok(())
    }

    /// Turns until the gateway rests; true when the process died in one of them.
    fn turns(&mut self, life: &mut Life, may_die: bool) -> Result<bool, String> {
        for _ in 0..TURNS {
            let before = life.gateway.journal().written();
            if !life.turn() {
                return Ok(false);
            }
            let after = life.gateway.journal().written();
            let sent = self.wire.lock().take_sent();
            if self.is_killed_by(after) {
                self.dies_at_kill(life, (before, after), &sent)?;
                return Ok(true);
            }
            if may_die && after > before && self.dies_at_record(life, (before, after), &sent)? {
                return Ok(true);
            }
            for one in sent {
                self.carry(one);
            }
        }
        self.broken.push(Violation {
            promise: "O2",
            words: format!("the gateway never rests at {}", self.now),
        });
        Ok(false)
    }

    /// Dies behind one of the records of a turn; false when the turn cannot be cut.
    fn dies_at_record(
        &mut self,
        life: &Life,
        (before, after): (u64, u64),
        sent: &[Sent],
    ) -> Result<bool, String> {
        let turn = self.turn_behind(before)?;
        let all = turn.iter().filter(|record| announces(&record.entry));
        if all.count() != orders(sent) {
            return Ok(false);
        }
        self.deaths.remove(0);
        let span = u32::try_from(after - before).unwrap_or(1);
        let last = before + 1 + u64::from(self.fate.below(span));
        let kept: Vec<_> = turn
            .iter()
            .filter(|record| record.sequence <= last)
            .collect();
        let mut left = kept
            .iter()
            .filter(|record| announces(&record.entry))
            .count();
        let is_at_byte = kept.last().is_some_and(|record| announces(&record.entry));
        if is_at_byte && self.fate.chance(50.0) {
            left -= 1;
        }
        let torn = if self.fate.chance(50.0) {
            usize::try_from(1 + self.fate.below(127)).unwrap_or(0)
        } else {
            0
        };
        self.cut_short((last, torn), left, sent)?;
        self.die(life, &format!("behind record {last} of {after}"));
        Ok(true)
    }

    /// The records behind one.
    pub(super) fn turn_behind(&self, before: u64) -> Result<Vec<Record>, String> {
        let journal = self.disk.read();
        let mut journal = journal.map_err(|fault| format!("the journal: {fault}"))?;
        journal.records.retain(|record| record.sequence > before);
        Ok(journal.records)
    }

    /// Lets `left` order requests of a turn go, and takes back every record behind `last` but the `torn` first bytes.
    pub(super) fn cut_short(
        &mut self,
        (last, torn): (u64, usize),
        mut left: usize,
        sent: &[Sent],
    ) -> Result<(), String> {
        for one in sent {
            if is_about_orders(&one.bytes) {
                if left == 0 {
                    continue;
                }
                left -= 1;
            }
            self.carry(one.clone());
        }
        let cut = self.disk.cut(last, torn);
        cut.map_err(|error| format!("the journal: {error}"))
    }

    /// The process is gone; another starts a while later.
    pub(super) fn die(&mut self, life: &Life, how: &str) {
        self.trace.line(self.now, || format!("dies {how}"));
        add(&mut self.totals, life.gateway.totals());
        self.dead += 1;
        self.down.push((self.now, u64::MAX));
        self.down_until = self.now + MS * u64::from(200 + self.fate.below(6_000));
    }

    /// A new session.
    fn log_in(&mut self) {
        let account = &mut self.venue.world.account;
        let access = account.open_session();
        self.auth = Auth::new(&account.credentials.api_key, &access);
    }

    /// Hears what the gateway told; true when the session is dead.
    fn listen(&mut self, life: &mut Life) -> bool {
        let told = life.told(&self.ground, self.now);
        for entry in told.outcomes {
            self.trace.line(self.now, || format!("told {entry:?}"));
            if let Entry::Admitted(order) = entry {
                self.orders.insert(order.tag, order);
            }
            if self.knobs.believes_silence
                && let Entry::Report(report) = entry
                && report.state == OrderState::Unknown
            {
                life.command(Command::Absent(report.tag));
            }
            self.trader.hear(&entry);
        }
        let mut is_dead = false;
        for event in told.events {
            self.trace.line(self.now, || format!("event {event:?}"));
            match event {
                GatewayEvent::ConnectionLost => self.dial(),
                GatewayEvent::SessionDead => is_dead = true,
                _ => {}
            }
            self.alarms.push((self.now, event));
        }
        is_dead
    }
}

/// True for a record that is written right before bytes leave.
pub(super) const fn announces(entry: &Entry) -> bool {
    matches!(entry, Entry::Sending(_) | Entry::Amending(_))
}

/// Order requests among what was sent.
pub(super) fn orders(sent: &[Sent]) -> usize {
    let about = sent.iter().filter(|one| is_about_orders(&one.bytes));
    about.count()
}
