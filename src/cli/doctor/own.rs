//! What belongs to tezi: its configuration, its data folder, the clock its records carry.

use super::item::{Item, Proof, Site, Status};
use crate::cli::run::prepare::no_rehearsals;
use crate::config::{Config, ConfigErrors};
use crate::net::{Mirror, try_busy_poll};
use crate::runtime::{IdleMode, RealTime, realtime};
use std::io::Write as _;
use std::path::Path;

/// Every item of this group; a configuration as [`Config::load`] left it.
pub(super) fn items(
    site: &Site,
    config: Option<(&Path, &Result<Config, ConfigErrors>)>,
) -> Vec<Item> {
    let loaded = config.and_then(|(_, config)| config.as_ref().ok());
    vec![
        configuration(config),
        data_folder(loaded),
        clock(site),
        class(site, loaded),
        sockets(loaded),
        rehearsals(site, loaded),
    ]
}

fn configuration(config: Option<(&Path, &Result<Config, ConfigErrors>)>) -> Item {
    let name = "configuration";
    let wanted = "in order";
    match config {
        None => Item::new(
            name,
            Status::Unknown,
            "not asked for: --config FILE",
            wanted,
        ),
        Some((file, Ok(config))) => {
            let kind = if config.venue.simulated {
                "simulated"
            } else {
                "LIVE"
            };
            Item::ok(
                name,
                format!("{}: in order, {kind}", file.display()),
                wanted,
            )
        }
        Some((file, Err(errors))) => {
            let first = errors
                .0
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            let found = match errors.0.len() {
                0 | 1 => first,
                more => format!("{first}, and {} more", more - 1),
            };
            Item::new(name, Status::Bad, found, wanted)
                .run(format!("tezi config check {}", file.display()))
                .gains(u64::MAX, Proof::Expected, "tezi run does not start")
        }
    }
}

fn data_folder(config: Option<&Config>) -> Item {
    let name = "data folder";
    let wanted = "writable";
    let Some(config) = config else {
        return Item::new(name, Status::Unknown, "named by a configuration", wanted);
    };
    let folder = &config.engine.data_dir;
    let folder = &folder.canonicalize().unwrap_or_else(|_| folder.clone());
    // A folder that is not there yet is made by the run, inside the nearest one that is.
    let there = folder.ancestors().find(|above| above.exists());
    let there = there.filter(|path| !path.as_os_str().is_empty());
    let there = there.unwrap_or(Path::new("."));
    match try_write(there) {
        Ok(()) if there == folder => Item::ok(name, folder.display().to_string(), wanted),
        Ok(()) => Item::ok(name, format!("{}: will be made", folder.display()), wanted),
        Err(error) => Item::new(
            name,
            Status::Bad,
            format!("{}: {error}", there.display()),
            wanted,
        )
        .advice("give it to the user that runs tezi, or change engine.data_dir")
        .gains(
            u64::MAX,
            Proof::Expected,
            "without a journal tezi run does not start",
        ),
    }
}

/// Writes a file and takes it away again.
fn try_write(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".tezi-doctor-{}", std::process::id()));
    let mut file = std::fs::File::create_new(&path)?;
    let written = file.write_all(b"tezi doctor\n");
    drop(file);
    std::fs::remove_file(&path)?;
    written
}

/// Signs of somebody who keeps the wall clock, under `/run`.
const KEEPERS: [(&str, &str); 4] = [
    (
        "run/systemd/timesync/synchronized",
        "systemd-timesyncd has synchronised",
    ),
    ("run/chrony/chronyd.pid", "chronyd runs"),
    ("run/chronyd.pid", "chronyd runs"),
    ("run/ntpd.pid", "ntpd runs"),
];

fn clock(site: &Site) -> Item {
    let name = "wall clock";
    let wanted = "kept by NTP or PTP";
    let keeper = KEEPERS.iter().find(|(path, _)| site.root.has(path));
    if let Some((_, words)) = keeper {
        return Item::ok(name, *words, wanted);
    }
    let found = "no sign of timesyncd, chronyd or ntpd under /run";
    if site.root.has("run/systemd/system") {
        return Item::better(name, found, wanted)
            .run("timedatectl set-ntp true")
            .gains(
                0,
                Proof::Expected,
                "sessions, cut-offs and records follow the wall clock",
            );
    }
    Item::new(
        name,
        Status::Unknown,
        found.to_owned() + "; the host may keep it",
        wanted,
    )
}

/// Whether the hot threads get the class that is asked for.
fn class(site: &Site, config: Option<&Config>) -> Item {
    let name = "class of hot threads";
    let wanted = "as engine.realtime says";
    let Some(config) = config else {
        return Item::new(name, Status::Unknown, "named by a configuration", wanted);
    };
    let Some(class) = RealTime::new(config.engine.realtime) else {
        return Item::ok(name, "ordinary: engine.realtime is 0", wanted);
    };
    let placement = site.placement.as_ref();
    let idle = placement.map_or(IdleMode::Spin, |placement| placement.idle);
    let spare = placement.map_or(0, |placement| placement.spare(&site.usable));
    let priority = class.priority();
    match realtime::settle(&site.root, class, idle, spare) {
        Ok(()) => Item::ok(name, format!("SCHED_FIFO {priority}"), wanted),
        Err(why) => Item::better(name, format!("ordinary, {priority} asked for"), wanted)
            .advice(why)
            .gains(
                900_000,
                Proof::Before,
                "on a shared machine stalls above 1 ms fell from 20 a second to 0.3",
            ),
    }
}

/// Whether sockets busy-poll as asked.
fn sockets(config: Option<&Config>) -> Item {
    let name = "busy-polling sockets";
    let wanted = "as engine.busy_poll_us says";
    let Some(config) = config else {
        return Item::new(name, Status::Unknown, "named by a configuration", wanted);
    };
    let micros = config.engine.busy_poll_us;
    if micros == 0 {
        return Item::ok(name, "off: engine.busy_poll_us is 0", wanted);
    }
    match try_busy_poll(micros) {
        Ok(()) => Item::ok(name, format!("{micros} µs"), wanted),
        Err(why) => Item::better(name, format!("off, {micros} µs asked for"), wanted)
            .advice(why)
            .gains(
                3_000,
                Proof::Expected,
                "no interrupt between card and read; nothing on loopback",
            ),
    }
}

/// Whether a gateway could rehearse here: one request through a mirror.
fn rehearsals(site: &Site, config: Option<&Config>) -> Item {
    let name = "rehearsals";
    let wanted = "on, where the hot threads spin";
    let (Some(config), Ok(placement)) = (config, &site.placement) else {
        return Item::new(name, Status::Unknown, "named by a configuration", wanted);
    };
    if let Some(why) = no_rehearsals(config, placement.idle) {
        return Item::ok(name, format!("off: {why}"), wanted);
    }
    let tried = Mirror::open(config.venue.ticker.starts_with("wss:"))
        .and_then(|mut mirror| mirror.rehearse(b"GET / HTTP/1.1\r\n\r\n"));
    match tried {
        Ok(_) => {
            let every = config.engine.rehearse_ns / 1_000;
            Item::ok(name, format!("every {every} µs without an order"), wanted)
        }
        Err(error) => Item::better(name, format!("off: {error}"), wanted)
            .advice("the engine needs a socket pair on 127.0.0.1: see what keeps it from one")
            .gains(
                40_000,
                Proof::Before,
                "frame to first byte after a pause of 25 ms was 81 µs without and 41 µs with them",
            ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::machine::Root;
    use crate::runtime::topology;

    const RUN: &str = include_str!("../../../config/run.toml");

    /// The three items of the hot path, on a machine of two cores that allows nothing.
    fn found(part: &str, by: &str, idle: Option<IdleMode>) -> Vec<(Status, String)> {
        let folder = tempfile::tempdir().expect("folder");
        let site = Site {
            root: Root::at(folder.path()),
            usable: vec![0, 1],
            placement: topology::place(&[0, 1], None, idle, &[]),
        };
        assert!(RUN.contains(part), "{part}");
        let text = RUN.replacen(part, by, 1);
        let config = Config::parse(Path::new("run.toml"), &text).expect("in order");
        let items = [class(&site, Some(&config)), sockets(Some(&config))];
        let items = items.into_iter().chain([rehearsals(&site, Some(&config))]);
        items.map(|item| (item.status, item.found)).collect()
    }

    #[test]
    fn what_the_hot_path_is_configured_to_have_is_tried_and_what_it_is_not_is_in_order() {
        let plain = found("realtime    = 0", "realtime    = 0", None);
        let texts: Vec<&str> = plain.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "ordinary: engine.realtime is 0",
                "off: engine.busy_poll_us is 0",
                "every 100 µs without an order"
            ]
        );
        assert!(plain.iter().all(|(status, _)| *status == Status::Ok));
        let class = &found("realtime    = 0", "realtime = 10", None)[0];
        assert_eq!(
            *class,
            (Status::Better, "ordinary, 10 asked for".to_owned())
        );
        let cold = |part, by, idle| found(part, by, idle).remove(2);
        let never = cold("rehearse_us = 100", "rehearse_us = 0", None);
        assert_eq!(
            never,
            (Status::Ok, "off: engine.rehearse_us is 0".to_owned())
        );
        let parked = cold("idle     =", "idle     =", Some(IdleMode::Park));
        let text = "off: the hot threads do not spin".to_owned();
        assert_eq!(parked, (Status::Ok, text));
    }
}
