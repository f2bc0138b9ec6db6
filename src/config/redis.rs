//! The `[redis]` table: where the latest prices are kept for other programs.
//!
//! Promises
//! - A password comes out of a file of its owner's alone, and never stands in the address.
//! - Plain text goes to this machine only: elsewhere the address begins with `rediss://`.

use super::secrets;
use super::section::Section;
use crate::model::Secret;
use std::path::{Path, PathBuf};

/// Port of a Redis that says nothing else.
const PORT: u16 = 6_379;
/// Periods that fit into the life of a key: a price that is renewed every third of its life survives two lost writes.
const PERIODS_PER_LIFE: i64 = 4;

/// Where the latest prices are kept, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfig {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Number of the database.
    pub database: i64,
    /// True when it is spoken to inside TLS.
    pub is_tls: bool,
    /// One root certificate, PEM, instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// User of an access list; `None` for the server's default one.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// First word of every key.
    pub prefix: String,
    /// Time between two writes, nanoseconds.
    pub period_ns: u64,
    /// Life of a key that is not written again, milliseconds.
    pub ttl_ms: i64,
    /// Longest wait for an answer, milliseconds.
    pub timeout_ms: u64,
}

/// What stands in an address.
struct Address {
    host: String,
    port: u16,
    database: i64,
    is_tls: bool,
}

/// Reads the table; `None` without one, or after a fault was noted.
pub(super) fn redis(section: Section<'_>, folder: &Path) -> Option<RedisConfig> {
    if !section.is_present() {
        return None;
    }
    let wanted = "such as \"redis://127.0.0.1:6379\"";
    let address = section.required("address", wanted).and_then(|found| {
        if found.value.contains('@') {
            // Said without what is written: it may hold a password.
            let told = "[redis] address: a user or password does not belong in it; use username and password_file";
            section.source().fault(&found.span, told);
            return None;
        }
        let address = address(&found.value);
        let noted = address.map_err(|why| section.wrong("address", &found.span, &why));
        noted.ok()
    });
    let password = section.text("password_file").and_then(|found| {
        let read = secrets::read(&folder.join(&found.value));
        let noted = read.map_err(|why| section.source().fault(&found.span, why));
        noted.ok()
    });
    let username = section.text("username").map(|found| found.value);
    if username.is_some() && !section.has("password_file") {
        section.missing("password_file", "a username needs its password");
    }
    let ca_file = section.text("ca_file").map(|found| {
        if address.as_ref().is_some_and(|address| !address.is_tls) {
            let wanted = "a certificate is of use with rediss:// alone";
            section.wrong("ca_file", &found.span, wanted);
        }
        folder.join(found.value)
    });
    let prefix = prefix(&section);
    let period_ms = section.integer("period_ms", 50..=60_000, 250);
    let least = period_ms.saturating_mul(PERIODS_PER_LIFE) / 1_000 + 1;
    let ttl_s = section.integer("ttl_s", least.max(2)..=86_400, least.max(10));
    let timeout_ms = section.number("timeout_ms", 50..=5_000, 300);
    section.finish();
    let address = address?;
    Some(RedisConfig {
        host: address.host,
        port: address.port,
        database: address.database,
        is_tls: address.is_tls,
        ca_file,
        username,
        password,
        prefix,
        period_ns: u64::try_from(period_ms).unwrap_or(0) * 1_000_000,
        ttl_ms: ttl_s.saturating_mul(1_000),
        timeout_ms,
    })
}

/// The first word of every key: nothing a pattern of keys would read as a sign of its own.
fn prefix(section: &Section<'_>) -> String {
    const USUAL: &str = "tezi";
    let Some(found) = section.text("prefix") else {
        return USUAL.to_owned();
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if found.value.is_empty() || found.value.len() > 64 || !found.value.chars().all(legal) {
        let wanted = "1 to 64 letters, digits, and the signs - _ . : are expected";
        section.wrong("prefix", &found.span, wanted);
    }
    found.value
}

/// Reads `redis://HOST[:PORT][/DATABASE]` or `rediss://…`.
fn address(text: &str) -> Result<Address, String> {
    let (is_tls, rest) = match (
        text.strip_prefix("rediss://"),
        text.strip_prefix("redis://"),
    ) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => {
            return Err("an address that begins with redis:// or rediss:// is expected".to_owned());
        }
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)),
        None => (authority, Some(PORT)),
    };
    let port = port.ok_or("a port from 1 to 65535 is expected behind the colon")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if host.is_empty() || !host.chars().all(legal) {
        return Err("a host name or an IPv4 address is expected".to_owned());
    }
    if !is_tls && !matches!(host, "127.0.0.1" | "localhost") {
        return Err("redis:// is for 127.0.0.1 only; use rediss://".to_owned());
    }
    let database = match path {
        "" => Some(0),
        path => path
            .parse()
            .ok()
            .filter(|number| (0..=9_999).contains(number)),
    };
    Ok(Address {
        host: host.to_owned(),
        port,
        database: database.ok_or("the number of a database is expected behind the slash")?,
        is_tls,
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigErrors};
    use std::path::Path;

    const RUN: &str = include_str!("../../config/run.toml");

    /// The shipped file with a table in it.
    fn parsed(file: &Path, table: &str) -> Result<Config, ConfigErrors> {
        let text = RUN.replacen("[limits]\n", &format!("[redis]\n{table}\n\n[limits]\n"), 1);
        Config::parse(file, &text)
    }

    fn wrong(table: &str) -> String {
        match parsed(Path::new("conf/run.toml"), table) {
            Ok(_) => panic!("accepted: {table}"),
            Err(errors) => errors.to_string(),
        }
    }

    #[test]
    fn without_a_table_there_is_none_and_an_address_is_enough_for_one() {
        let file = Path::new("conf/run.toml");
        let plain = Config::parse(file, RUN).expect("config/run.toml");
        assert_eq!(plain.redis, None);
        let config = parsed(file, "address = \"redis://127.0.0.1\"").expect("a Redis");
        let redis = config.redis.expect("a Redis");
        assert_eq!((redis.host.as_str(), redis.port), ("127.0.0.1", 6_379));
        assert_eq!((redis.database, redis.is_tls), (0, false));
        assert_eq!((redis.period_ns, redis.ttl_ms), (250_000_000, 10_000));
        assert_eq!((redis.timeout_ms, redis.prefix.as_str()), (300, "tezi"));
        let table = "address = \"rediss://cache.example.com:7000/3\"\nprefix = \"desk:a\"\nperiod_ms = 5000";
        let redis = parsed(file, table).expect("a Redis").redis.expect("one");
        assert_eq!(
            (redis.host.as_str(), redis.port, redis.database),
            ("cache.example.com", 7_000, 3)
        );
        assert_eq!((redis.is_tls, redis.prefix.as_str()), (true, "desk:a"));
        assert_eq!(redis.ttl_ms, 21_000, "four periods and a little");
    }

    #[test]
    fn everything_wrong_is_named_with_its_place_and_what_is_allowed() {
        let local = "address = \"redis://127.0.0.1\"\n";
        for (table, told) in [
            (
                "period_ms = 250",
                "[redis] address is missing: such as \"redis://127.0.0.1:6379\"",
            ),
            (
                "address = \"127.0.0.1:6379\"",
                "begins with redis:// or rediss:// is expected",
            ),
            (
                "address = \"redis://10.0.0.7\"",
                "redis:// is for 127.0.0.1 only; use rediss://",
            ),
            (
                "address = \"redis://:pw@127.0.0.1\"",
                "a user or password does not belong in it",
            ),
            (
                "address = \"redis://127.0.0.1:0\"",
                "a port from 1 to 65535",
            ),
            (
                "address = \"redis://127.0.0.1:65536\"",
                "a port from 1 to 65535",
            ),
            (
                "address = \"redis://:6379\"",
                "a host name or an IPv4 address",
            ),
            (
                "address = \"redis://127.0.0.1/x\"",
                "the number of a database",
            ),
            (
                &format!("{local}period_ms = 49"),
                "[redis] period_ms = 49: a whole number from 50 to 60000",
            ),
            (
                &format!("{local}ttl_s = 1"),
                "[redis] ttl_s = 1: a whole number from 2 to 86400",
            ),
            (
                &format!("{local}period_ms = 60000\nttl_s = 240"),
                "a whole number from 241 to 86400",
            ),
            (
                &format!("{local}timeout_ms = 5001"),
                "a whole number from 50 to 5000",
            ),
            (
                &format!("{local}prefix = \"a*\""),
                "1 to 64 letters, digits, and the signs",
            ),
            (
                &format!("{local}username = \"desk\""),
                "a username needs its password",
            ),
            (
                &format!("{local}password = \"x\""),
                "unknown key `password` in [redis]: allowed: address, ca_file, password_file",
            ),
            (
                &format!("{local}ca_file = \"ca.pem\""),
                "of use with rediss:// alone",
            ),
            (
                &format!("{local}password_file = \"nowhere\""),
                "secret file conf/nowhere cannot be read",
            ),
        ] {
            let errors = wrong(table);
            assert!(errors.contains(told), "{table}: {errors}");
            assert!(errors.starts_with("conf/run.toml:"), "{errors}");
            assert!(!errors.contains("pw@"), "{errors}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_redis_password_comes_out_of_a_file_of_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("folder");
        let (file, secret) = (folder.path().join("run.toml"), folder.path().join("word"));
        let table = "address = \"redis://127.0.0.1\"\npassword_file = \"word\"";
        let load = |mode: u32| {
            std::fs::write(&secret, "s3cr3t\n").expect("written");
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&secret, mode).expect("mode");
            parsed(&file, table)
        };
        let config = load(0o600).expect("owner only");
        let shown = format!("{config:?}");
        let password = config.redis.and_then(|redis| redis.password);
        assert_eq!(
            password.as_ref().map(crate::model::Secret::expose),
            Some("s3cr3t")
        );
        assert!(!shown.contains("s3cr3t"));
        let open = load(0o640).expect_err("readable by others").to_string();
        assert!(open.contains("chmod 600"), "{open}");
    }
}
