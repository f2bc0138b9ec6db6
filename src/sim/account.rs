//! Who may ask, and how often: sessions and request limits of one simulated account.

use super::settings::{Credentials, Limits};
use crate::model::WallNanos;
use crate::model::time::SECOND;
use sha2::{Digest as _, Sha256};

/// The session side of the account.
pub(crate) struct Account {
    pub(crate) credentials: Credentials,
    /// Tokens good for one login each.
    request_tokens: Vec<String>,
    /// The one live access token.
    access_token: Option<String>,
    minted: u64,
    seed: u64,
}

/// Lower-case hexadecimal SHA-256.
pub(crate) fn sha256_hex(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

impl Account {
    pub(crate) fn new(credentials: Credentials, seed: u64) -> Self {
        Self {
            request_tokens: vec![credentials.request_token.clone()],
            access_token: Some(credentials.access_token.clone()),
            credentials,
            minted: 0,
            seed,
        }
    }

    fn mint(&mut self, kind: &str) -> String {
        self.minted += 1;
        let text = format!("{kind}{}:{}", self.seed, self.minted);
        let mut token = sha256_hex(&[&text]);
        token.truncate(26);
        format!("simulated{token}")
    }

    /// What the login page hands out after a sign-in.
    pub(crate) fn new_request_token(&mut self) -> String {
        let token = self.mint("request");
        self.request_tokens.push(token.clone());
        token
    }

    /// Exchanges a request token; `None` when key, token or checksum is wrong. Ends the older session.
    pub(crate) fn log_in(
        &mut self,
        api_key: &str,
        request_token: &str,
        checksum: &str,
    ) -> Option<String> {
        let secret = &self.credentials.api_secret;
        let expected = sha256_hex(&[&self.credentials.api_key, request_token, secret]);
        let at = self
            .request_tokens
            .iter()
            .position(|token| token == request_token)?;
        if api_key != self.credentials.api_key || checksum != expected {
            return None;
        }
        self.request_tokens.swap_remove(at);
        Some(self.open_session())
    }

    /// Begins a session and ends the older one.
    pub(crate) fn open_session(&mut self) -> String {
        let token = self.mint("access");
        self.access_token = Some(token.clone());
        token
    }

    /// Ends the session of a token; false when there is none.
    pub(crate) fn log_out(&mut self, api_key: &str, access_token: &str) -> bool {
        let known = self.knows(api_key, access_token);
        if known {
            self.access_token = None;
        }
        known
    }

    /// Ends whatever session there is.
    pub(crate) fn expire(&mut self) {
        self.access_token = None;
    }

    /// The token of the live session.
    pub(crate) fn live(&self) -> Option<&str> {
        self.access_token.as_deref()
    }

    /// True for the live session.
    pub(crate) fn knows(&self, api_key: &str, access_token: &str) -> bool {
        api_key == self.credentials.api_key && self.access_token.as_deref() == Some(access_token)
    }
}

/// What a request counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    /// A placement.
    Place,
    /// A modification or cancellation: counts by the second, not by the day.
    Amend,
    Quote,
    History,
    Other,
}

/// The most requests of each kind that a broker takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) orders_per_second: u32,
    pub(crate) orders_per_minute: u32,
    /// Placements, modifications and cancellations of an hour, where they are counted.
    pub(crate) orders_per_hour: Option<u32>,
    pub(crate) orders_per_day: u32,
    pub(crate) quotes_per_second: u32,
    pub(crate) history_per_second: u32,
    pub(crate) others_per_second: u32,
}

/// Counts requests per calendar second, as the broker does.
pub(crate) struct Meter {
    limits: Limits,
    rates: Rates,
    second: i64,
    orders: u32,
    quotes: u32,
    history: u32,
    other: u32,
    minute: i64,
    orders_in_minute: u32,
    hour: i64,
    orders_in_hour: u32,
    orders_in_day: u32,
}

impl Meter {
    pub(crate) const fn new(limits: Limits, rates: Rates) -> Self {
        Self {
            limits,
            rates,
            second: 0,
            orders: 0,
            quotes: 0,
            history: 0,
            other: 0,
            minute: 0,
            orders_in_minute: 0,
            hour: 0,
            orders_in_hour: 0,
            orders_in_day: 0,
        }
    }

    /// Counts a request now; false when it is one too many.
    pub(crate) fn admits(&mut self, budget: Budget, now: WallNanos) -> bool {
        self.admits_at(budget, now.0.div_euclid(SECOND))
    }

    fn admits_at(&mut self, budget: Budget, second: i64) -> bool {
        if second != self.second {
            self.second = second;
            (self.orders, self.quotes, self.history, self.other) = (0, 0, 0, 0);
        }
        if second.div_euclid(60) != self.minute {
            self.minute = second.div_euclid(60);
            self.orders_in_minute = 0;
        }
        if second.div_euclid(3_600) != self.hour {
            self.hour = second.div_euclid(3_600);
            self.orders_in_hour = 0;
        }
        let (all, rates) = (self.limits == Limits::All, self.rates);
        match budget {
            _ if self.limits == Limits::Off => true,
            Budget::Place => {
                self.orders += 1;
                self.orders_in_minute += 1;
                self.orders_in_hour += 1;
                self.orders_in_day += 1;
                self.orders <= rates.orders_per_second
                    && self.orders_in_minute <= rates.orders_per_minute
                    && rates
                        .orders_per_hour
                        .is_none_or(|most| self.orders_in_hour <= most)
                    && self.orders_in_day <= rates.orders_per_day
            }
            Budget::Amend => {
                self.orders += 1;
                self.orders_in_hour += 1;
                self.orders <= rates.orders_per_second
                    && rates
                        .orders_per_hour
                        .is_none_or(|most| self.orders_in_hour <= most)
            }
            Budget::Quote => {
                self.quotes += 1;
                !all || self.quotes <= rates.quotes_per_second
            }
            Budget::History => {
                self.history += 1;
                !all || self.history <= rates.history_per_second
            }
            Budget::Other => {
                self.other += 1;
                !all || self.other <= rates.others_per_second
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates {
        orders_per_second: 10,
        orders_per_minute: 400,
        orders_per_hour: None,
        orders_per_day: 5_000,
        quotes_per_second: 1,
        history_per_second: 3,
        others_per_second: 10,
    };

    fn account() -> Account {
        let credentials = Credentials {
            api_key: "key".into(),
            api_secret: "secret".into(),
            request_token: "request".into(),
            access_token: "ready".into(),
            user_id: "SIM001".into(),
        };
        Account::new(credentials, 1)
    }

    #[test]
    fn a_request_token_logs_in_once_and_ends_the_older_session() {
        let mut account = account();
        let checksum = sha256_hex(&["key", "request", "secret"]);
        assert_eq!(checksum, sha256_hex(&["keyrequestsecret"]));
        assert!(account.knows("key", "ready"));
        assert_eq!(account.log_in("key", "request", "0000"), None);
        let token = account
            .log_in("key", "request", &checksum)
            .expect("a session");
        assert!(account.knows("key", &token) && !account.knows("key", "ready"));
        assert_eq!(account.log_in("key", "request", &checksum), None);
        let minted = account.new_request_token();
        let checksum = sha256_hex(&["key", &minted, "secret"]);
        let later = account
            .log_in("key", &minted, &checksum)
            .expect("a session");
        assert!(!account.knows("key", &token) && account.log_out("key", &later));
        assert!(!account.knows("key", &later));
    }

    #[test]
    fn the_eleventh_order_of_a_second_is_refused_and_the_next_second_starts_anew() {
        let mut meter = Meter::new(Limits::Orders, RATES);
        assert!((0..10).all(|_| meter.admits_at(Budget::Place, 100)));
        assert!(!meter.admits_at(Budget::Amend, 100));
        assert!(meter.admits_at(Budget::Quote, 100) && meter.admits_at(Budget::Quote, 100));
        assert!(meter.admits_at(Budget::Place, 101));
        let mut minute = Meter::new(Limits::Orders, RATES);
        let taken = (0..600)
            .filter(|i| minute.admits_at(Budget::Place, 6_000 + i / 10))
            .count();
        assert_eq!(taken, 400);
        assert!(minute.admits_at(Budget::Place, 6_060));
        let hourly = Rates {
            orders_per_hour: Some(1_000),
            ..RATES
        };
        let mut hour = Meter::new(Limits::Orders, hourly);
        let kinds = [Budget::Place, Budget::Amend].into_iter().cycle();
        let taken = (7_200..8_700).zip(kinds);
        let taken = taken
            .filter(|(at, kind)| hour.admits_at(*kind, *at))
            .count();
        assert_eq!(taken, 1_000, "changes count for the hour");
        assert!(hour.admits_at(Budget::Place, 10_800));
        let mut off = Meter::new(Limits::Off, RATES);
        assert!((0..10_000).all(|_| off.admits_at(Budget::Place, 1)));
    }
}
