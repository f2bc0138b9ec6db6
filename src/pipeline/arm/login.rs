//! A desk that is logged in, at the account that was named.

use super::ArmFault;
use crate::config::{Config, VenueConfig};
use crate::control::desk::Desk;
use crate::model::Secret;
use crate::net::{Url, tls};
use crate::venue::session::Credentials;
use rustls::ClientConfig;
use std::sync::Arc;

/// Logs in at the configured venue.
///
/// # Errors
///
/// [`ArmFault`] with the venue's or the network's reason.
pub fn open_desk(config: &Config) -> Result<(Desk, Arc<ClientConfig>), ArmFault> {
    log_in(&config.venue, config.engine.busy_poll_us)
}

/// Logs in at one venue, and makes sure whose session that is.
pub(in crate::pipeline) fn log_in(
    venue: &VenueConfig,
    busy_poll_us: u32,
) -> Result<(Desk, Arc<ClientConfig>), ArmFault> {
    let tls = tls::client_config(venue.ca_file.as_deref())?;
    let url = Url::parse(&venue.rest)?.busy_polling(busy_poll_us);
    let mut desk = Desk::visitor(venue.broker, url, Arc::clone(&tls));
    if venue.simulated {
        let login = fresh(&mut desk, &venue.login);
        desk.log_in(&login)?;
    } else {
        desk.log_in(&venue.login)?;
    }
    if let Some(account) = &venue.account
        && account != desk.account()
    {
        return Err(ArmFault::Unfit(format!(
            "the account of {} is {account:?}, but the session is {:?}'s; nothing was sent",
            venue.name,
            desk.account()
        )));
    }
    Ok((desk, tls))
}

/// A request token is good for one login: a simulated venue hands out another for every start, as a broker's login
/// page does. One that has none to give gets the token that is configured.
fn fresh(desk: &mut Desk, login: &Credentials) -> Credentials {
    const KEY: &str = "request_token";
    let mut login = login.clone();
    if login.get(KEY).is_none() {
        return login;
    }
    let page = desk.get("/sim/request-token").ok();
    let value = page
        .and_then(|page| serde_json::from_slice::<serde_json::Value>(&page.body).ok())
        .and_then(|value| Some(value.get(KEY)?.as_str()?.to_owned()));
    if let Some(token) = value {
        login.give(KEY, Secret::new(token));
    }
    login
}
