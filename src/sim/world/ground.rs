//! What stays the same through the lives of one world: contracts, requests prepared for them, the account.

use crate::config::MarketRules;
use crate::hot::gateway::{Armed, TradingHours};
use crate::model::ids::TagParts;
use crate::model::{Day, Instrument, InstrumentIx, Kind, Price, Session, Side, Tag, Token};
use crate::rules::ContractRules;
use crate::venue::{Auth, Broker, Endpoint, Product, TokenTable};
use std::sync::OnceLock;

/// Whose wire the worlds speak.
pub(super) const BROKER: Broker = Broker::Kite;
/// Fingerprint of the account.
pub(super) const ACCOUNT: u32 = 77;
/// CALL and PUT pairs that are traded; the nearest future is traded besides.
pub(super) const PAIRS: usize = 3;

/// The contracts of a world in the engine's numbering: CALL, PUT, CALL, PUT, ..., future.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub(super) rows: Vec<Instrument>,
    pub(super) day: Day,
    session: Option<Session>,
    pub(super) endpoint: Endpoint,
}

/// The market rules, parsed once.
pub(super) fn market_rules() -> &'static MarketRules {
    static RULES: OnceLock<MarketRules> = OnceLock::new();
    RULES.get_or_init(MarketRules::embedded)
}

impl Ground {
    /// Picks pairs and a future of the later expiry from the venue's list.
    pub(super) fn new(list: &[Instrument], day: Day) -> Self {
        let later = |row: &&Instrument| row.expiry.is_some_and(|expiry| expiry > day);
        let mut options: Vec<&Instrument> = list
            .iter()
            .filter(later)
            .filter(|row| matches!(row.kind, Kind::Option { .. }))
            .collect();
        options.sort_by_key(|row| (row.expiry, strike(row), row.symbol.clone()));
        let future = list
            .iter()
            .filter(later)
            .find(|row| matches!(row.kind, Kind::Future));
        let rows = options.into_iter().take(2 * PAIRS).chain(future).cloned();
        let rows: Vec<Instrument> = (0_u16..)
            .zip(rows)
            .map(|(ix, row)| Instrument {
                ix: InstrumentIx(ix),
                ..row
            })
            .collect();
        let exchange = rows.first().map(|row| row.exchange);
        Self {
            session: exchange.and_then(|exchange| market_rules().session(exchange, day)),
            rows,
            day,
            endpoint: Endpoint::new("127.0.0.1", 1),
        }
    }

    /// Contracts as the gateway wants them, with requests that carry the session.
    pub(super) fn armed(&self, auth: &Auth) -> Vec<Armed> {
        let arm = |row: &Instrument| {
            let template =
                |side| BROKER.place_template(&self.endpoint, auth, row, side, Product::Nrml);
            let templates = template(Side::Buy).and_then(|buy| Ok([buy, template(Side::Sell)?]));
            Armed {
                is_allowed: true,
                rules: ContractRules {
                    tick: row.tick,
                    lot: row.lot,
                    qty_max: row.qty_max,
                    is_armed: templates.is_ok(),
                },
                hours: TradingHours {
                    session: self.session,
                    entry_cutoff_ns: 0,
                },
                named: crate::venue::Named::of(row, Product::Nrml),
                templates: templates.ok().map(Box::new),
            }
        };
        self.rows.iter().map(arm).collect()
    }

    pub(super) fn row(&self, ix: InstrumentIx) -> Option<&Instrument> {
        self.rows.get(ix.at())
    }

    pub(super) fn token(&self, ix: InstrumentIx) -> Token {
        self.row(ix).map_or(Token(0), |row| row.token)
    }

    pub(super) fn tokens(&self) -> TokenTable {
        TokenTable::new(self.rows.iter().map(|row| (row.token, row.ix)))
    }

    /// Account and day as every tag carries them.
    pub(super) const fn family(&self) -> (u32, Day) {
        (ACCOUNT, self.day)
    }

    /// The first bytes of every tag.
    pub(super) fn prefix(&self) -> [u8; 10] {
        let tag = Tag::new(TagParts {
            account: ACCOUNT,
            day: self.day,
            intent: 0,
            leg: 0,
            slice: 0,
            attempt: 0,
        });
        tag.family().try_into().unwrap_or_default()
    }
}

const fn strike(row: &Instrument) -> Price {
    match row.kind {
        Kind::Option { strike, .. } => strike,
        _ => Price::ZERO,
    }
}
