//! Instrument masters: the brokers' own files, and the compact copy.

use tezi::model::{Exchange, Kind};
use tezi::store::master::MasterCopy;
use tezi::venue::Broker;
use tezi::venue::master::{check_end, stand_in};

/// The first byte says which exchange the file is of.
fn read(broker: Broker, bytes: &[u8]) {
    const EXCHANGES: [Exchange; 7] = [
        Exchange::Nfo,
        Exchange::Nse,
        Exchange::Bse,
        Exchange::Bfo,
        Exchange::Cds,
        Exchange::Bcd,
        Exchange::Mcx,
    ];
    let Some((which, file)) = bytes.split_first() else {
        return;
    };
    drop(check_end(file));
    let exchange = EXCHANGES[usize::from(*which) % EXCHANGES.len()];
    let Ok(master) = broker.parse_master(file, exchange, &|_| true, &stand_in) else {
        return;
    };
    let rows = master.instruments.len() as u64;
    assert!(rows + master.foreign + master.bad <= master.rows.max(rows));
    assert!(master.rows <= file.len() as u64, "more rows than bytes");
    for row in &master.instruments {
        assert!(!row.symbol.is_empty(), "a contract without a name");
        if matches!(row.kind, Kind::Future | Kind::Option { .. }) {
            assert!(row.lot.0 > 0, "a contract without a lot");
        }
    }
}

pub(super) fn kite(bytes: &[u8]) {
    read(Broker::Kite, bytes);
}

pub(super) fn dhan(bytes: &[u8]) {
    read(Broker::Dhan, bytes);
}

pub(super) fn kotak(bytes: &[u8]) {
    read(Broker::Kotak, bytes);
}

pub(super) fn openalgo(bytes: &[u8]) {
    read(Broker::OpenAlgo, bytes);
}

/// The copy as it is, and with the checksum it should have, so that what stands behind it is reached.
pub(super) fn copy(bytes: &[u8]) {
    const FRONT: usize = 16;
    drop(MasterCopy::from_bytes(bytes));
    let Some((front, body)) = bytes.split_at_checked(FRONT) else {
        return;
    };
    let mut sound = front[..FRONT - 4].to_vec();
    sound.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    sound.extend_from_slice(body);
    if let Ok(copy) = MasterCopy::from_bytes(&sound) {
        assert!(copy.len() <= body.len());
        assert_eq!(copy.rows().count(), copy.len(), "every row can be read");
    }
}
