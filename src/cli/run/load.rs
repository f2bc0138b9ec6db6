//! The configuration of a run: the file, what a simulated venue says of itself, and the door to live trading.

use crate::cli::Failure;
use crate::config::{Config, VenueConfig};
use crate::model::Secret;
use crate::venue::Broker;
use crate::venue::session::Credentials;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Reads a configuration, joins it with a simulated venue's ready file, and refuses live trading that is not
/// asked for.
///
/// # Errors
///
/// [`Failure::Usage`] for a configuration or flags that are not allowed, [`Failure::Input`] for a ready file.
pub(in crate::cli) fn load(
    file: &Path,
    venue_ready: Option<&Path>,
    execute: bool,
) -> Result<Config, Failure> {
    let mut config = Config::load(file).map_err(|errors| Failure::Usage(errors.to_string()))?;
    if let Some(path) = venue_ready {
        if !config.venue.simulated {
            return Err(Failure::Usage(
                "--venue-ready is for a simulated venue; venue.simulated is false".to_owned(),
            ));
        }
        take_ready(&mut config.venue, path)?;
    }
    guard(&config, execute)?;
    Ok(config)
}

/// What a simulated venue wrote when it was ready.
#[derive(Debug)]
pub(in crate::cli) struct Ready {
    pub(in crate::cli) broker: Broker,
    pub(in crate::cli) rest: String,
    pub(in crate::cli) ticker: String,
    pub(in crate::cli) ca_file: Option<PathBuf>,
    pub(in crate::cli) login: Credentials,
}

/// Reads a venue's ready file.
pub(in crate::cli) fn take_ready_file(path: &Path) -> Result<Ready, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::Input(format!("{name}: {e}; start tezi venue --ready-file first")))?;
    let ready: Value = serde_json::from_str(&text)
        .map_err(|e| Failure::Input(format!("{name}: {e}; a venue's ready file is expected")))?;
    let field = |key: &str| {
        let text = ready.get(key).and_then(Value::as_str);
        let missing = || format!("{name}: no text {key:?}; is it a venue's ready file?");
        text.map(str::to_owned)
            .ok_or_else(|| Failure::Input(missing()))
    };
    let (rest, ticker) = (field("rest")?, field("ticker")?);
    let wire = field("wire")?;
    let broker = Broker::parse(&wire)
        .ok_or_else(|| Failure::Input(format!("{name}: no broker {wire:?} is known here")))?;
    let mut login = Credentials::new(field("api_key")?);
    for known in broker.facts().logins.iter().copied().flatten() {
        if let Some(value) = ready["login"][known.key].as_str() {
            login.give(known.key, Secret::new(value.to_owned()));
        }
    }
    Ok(Ready {
        broker,
        rest,
        ticker,
        ca_file: ready
            .get("ca_file")
            .and_then(Value::as_str)
            .map(PathBuf::from),
        login,
    })
}

fn take_ready(venue: &mut VenueConfig, path: &Path) -> Result<(), Failure> {
    let ready = take_ready_file(path)?;
    if ready.broker != venue.broker {
        return Err(Failure::Usage(format!(
            "the venue of {} speaks the wire of {}, and the configuration's kind is {}",
            path.display(),
            ready.broker.name(),
            venue.broker.name()
        )));
    }
    venue.rest = ready.rest;
    // A simulated venue has one address for everything.
    venue.updates = venue.updates.as_ref().map(|_| ready.ticker.clone());
    venue.ticker = ready.ticker;
    venue.login = ready.login;
    venue.ca_file = ready.ca_file;
    Ok(())
}

/// Joins the backup of a configuration with a second simulated venue's ready file.
///
/// # Errors
///
/// [`Failure::Usage`] when there is no simulated backup, [`Failure::Input`] for the file.
pub(in crate::cli) fn take_backup(config: &mut Config, file: Option<&Path>) -> Result<(), Failure> {
    match (file, &mut config.backup) {
        (None, _) => Ok(()),
        (Some(path), Some(backup)) if backup.simulated => take_ready(backup, path),
        (Some(_), _) => Err(Failure::Usage(
            "--backup-ready needs a [backup] table with simulated = true".to_owned(),
        )),
    }
}

/// Simulation is the default; live trading needs a flag and a stanza and a matching account.
fn guard(config: &Config, execute: bool) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::Usage(why.to_owned()));
    match (config.venue.simulated, execute) {
        (true, true) => refuse(
            "--execute with venue.simulated = true; live trading needs a configuration that says \
             venue.simulated = false",
        ),
        (false, false) => refuse(
            "venue.simulated is false: this configuration trades live; add --execute to do so, or use \
             tezi venue",
        ),
        (false, true) if config.venue.account.is_none() => refuse(
            "--execute needs venue.account, so that orders can only go to the account that is meant",
        ),
        _ => Ok(()),
    }
}
