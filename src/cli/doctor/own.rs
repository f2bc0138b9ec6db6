//! What belongs to tezi: its configuration, its data folder, the clock its records carry.

use super::item::{Item, Proof, Site, Status};
use crate::config::{Config, ConfigErrors};
use std::io::Write as _;
use std::path::Path;

/// Every item of this group; a configuration as [`Config::load`] left it.
pub(super) fn items(
    site: &Site,
    config: Option<(&Path, &Result<Config, ConfigErrors>)>,
) -> Vec<Item> {
    vec![
        configuration(config),
        data_folder(config.and_then(|(_, config)| config.as_ref().ok())),
        clock(site),
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
