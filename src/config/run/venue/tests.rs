//! Brokers, their addresses and logins: what is refused, and what is taken.

use crate::config::Config;
use crate::config::shipped::{RUN, each_is_named, parsed, refused, wrong};
use crate::model::Secret;
use crate::venue::Broker;

#[test]
fn a_wrong_key_is_named_with_its_place_and_what_is_allowed() {
    each_is_named(&[
        (
            "connections = 4",
            "connections = 17",
            "connections",
            "[venue] connections = 17: a whole number from 1 to 16",
        ),
        (
            "connections = 4",
            "connections = \"4\"",
            "connections",
            "[venue] connections = \"4\": a whole number",
        ),
        (
            "simulated = true",
            "simulated = \"yes\"",
            "simulated",
            "[venue] simulated = \"yes\": true or false is expected",
        ),
        (
            "product     = \"NRML\"",
            "product     = \"CNC\"",
            "product",
            "allowed: NRML, MIS",
        ),
        (
            "kind      = \"kite\"",
            "kind      = \"kit\"",
            "kind",
            "did you mean `kite`?",
        ),
        (
            "ticker    = \"wss://127.0.0.1:8900\"",
            "ticker    = \"https://127.0.0.1:8900\"",
            "ticker",
            "begins with wss://",
        ),
    ]);
}

#[test]
fn a_simulated_venue_is_here_and_a_real_one_names_its_account() {
    let elsewhere = wrong(
        "rest      = \"https://127.0.0.1:8900\"",
        "rest      = \"https://api.kite.trade\"",
    );
    assert!(
        elsewhere.contains("a simulated venue is on 127.0.0.1"),
        "{elsewhere}"
    );
    let plain = wrong(
        "rest      = \"https://127.0.0.1:8900\"",
        "rest      = \"http://api.kite.trade\"",
    );
    assert!(plain.contains("http:// is for 127.0.0.1 only"), "{plain}");
    let real = wrong("simulated = true ", "simulated = false");
    assert!(real.contains("[venue] account is missing"), "{real}");
    assert!(
        real.contains("a real token does not belong in this file"),
        "{real}"
    );
    let both = wrong("# account ", "request_token = \"x\"\n# account");
    assert!(
        both.contains("needs either access_token_file, or request_token and api_secret_file"),
        "{both}"
    );
}

#[test]
fn an_address_of_order_updates_is_checked_like_the_others() {
    let dhan = RUN.replacen("kind      = \"kite\"", "kind      = \"dhan\"", 1);
    let with = |updates: &str| {
        dhan.replacen(
            "simulated = true ",
            &format!("updates = \"{updates}\"\nsimulated = true "),
            1,
        )
    };
    let updates = |text: &str| parsed(text).expect("a configuration").venue.updates;
    let ticker = "wss://127.0.0.1:8900";
    assert_eq!(
        updates(&dhan).as_deref(),
        Some(ticker),
        "the feed's, unless given"
    );
    let own = "ws://localhost:8901/orders";
    assert_eq!(updates(&with(own)).as_deref(), Some(own));
    for (address, word) in [
        (
            "wss://api-order-update.dhan.co",
            "a simulated venue is on 127.0.0.1",
        ),
        (
            "ws://api-order-update.dhan.co",
            "ws:// is for 127.0.0.1 only",
        ),
        (
            "https://127.0.0.1:8900",
            "an address that begins with wss:// is expected",
        ),
    ] {
        let errors = refused(&with(address), address).to_string();
        assert!(
            errors.contains(word) && errors.contains("updates"),
            "{errors}"
        );
    }
    let kite = wrong(
        "simulated = true ",
        "updates = \"wss://127.0.0.1:1\"\nsimulated = true ",
    );
    assert!(kite.contains("updates"), "Kite has no such stream: {kite}");
}

#[cfg(unix)]
#[test]
fn a_backup_is_a_second_venue_of_the_same_kind_of_market() {
    let stanza = "[backup]\nname = \"second\"\nrest = \"https://127.0.0.1:8901\"\n\
                  ticker = \"wss://127.0.0.1:8901\"\naccess_token = \"simulated\"\n";
    let with = |stanza: &str| RUN.replacen("[limits]\n", &format!("{stanza}\n[limits]\n"), 1);
    let config = parsed(&with(stanza)).expect("two venues");
    let backup = config.backup.expect("a backup");
    let (name, rest) = (backup.name.as_str(), backup.rest.as_str());
    assert_eq!((name, rest), ("second", "https://127.0.0.1:8901"));
    assert!(parsed(RUN).expect("one venue").backup.is_none());
    for (change, by, word) in [
        ("\"second\"", "\"kite-simulated\"", "[backup] name"),
        (
            "access_token",
            "connections = 4\naccess_token",
            "connections",
        ),
        (
            "name =",
            "simulated = false\naccess_token_file = \"t\"\nname =",
            "[backup] simulated",
        ),
        ("rest =", "rust =", "[backup] rest"),
    ] {
        let text = with(&stanza.replacen(change, by, 1));
        let errors = refused(&text, by).to_string();
        assert!(errors.contains(word), "{word}: {errors}");
    }
}

#[test]
fn a_secret_file_is_for_its_owner_only_and_never_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let secret = folder.path().join("token");
    let file = folder.path().join("run.toml");
    let text = RUN.replacen(
        "access_token = \"simulated\"",
        "access_token_file = \"token\"",
        1,
    );
    std::fs::write(&file, &text).expect("write");
    let load = |content: &str, mode: u32| {
        std::fs::write(&secret, content).expect("write");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).expect("mode");
        Config::load(&file)
    };
    let config = load("s3cr3t\n", 0o600).expect("owner only");
    let token = config.venue.login.get("access_token").map(Secret::expose);
    assert_eq!(token, Some("s3cr3t"));
    assert!(!format!("{config:?}").contains("s3cr3t"));
    for mode in [0o640, 0o604, 0o620] {
        let error = load("s3cr3t\n", mode).expect_err("too open").to_string();
        assert!(
            error.contains(&format!("has mode {mode:03o}")) && error.contains("chmod 600"),
            "{error}"
        );
    }
    assert!(
        load("\n", 0o600)
            .expect_err("empty")
            .to_string()
            .contains("exactly one word")
    );
    assert!(load("two words", 0o600).is_err());
    std::fs::remove_file(&secret).expect("remove");
    assert!(
        Config::load(&file)
            .expect_err("absent")
            .to_string()
            .contains("cannot be read")
    );
}

#[test]
fn a_gateway_of_ones_own_may_be_plain_on_this_machine_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    std::fs::write(&key, "k3y\n").expect("written");
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&key, mode).expect("mode");
    }
    let start = RUN.find("[venue]").expect("a venue");
    let end = RUN.find("[feed]").expect("a feed");
    let with = |venue: &str| {
        let (before, after) = (&RUN[..start], &RUN[end..]);
        let venue = venue.replace("KEY", &key.display().to_string());
        format!(
            "{before}[venue]\nkind = \"openalgo\"\nsimulated = false\naccount = \"OA\"\n{venue}\n{after}"
        )
    };
    let config = parsed(&with("apikey_file = \"KEY\"")).expect("everything that is needed");
    assert_eq!(config.venue.broker, Broker::OpenAlgo);
    assert_eq!(config.venue.rest, "http://127.0.0.1:5000");
    assert_eq!(config.venue.ticker, "ws://127.0.0.1:8765");
    assert_eq!(config.venue.login.api_key, "");
    let given = config.venue.login.get("apikey").map(Secret::expose);
    assert_eq!(given, Some("k3y"));
    let elsewhere = "apikey_file = \"KEY\"\nrest = \"https://algo.example\"\nticker = \"wss://algo.example/ws\"";
    assert_eq!(
        parsed(&with(elsewhere)).expect("TLS").venue.rest,
        "https://algo.example"
    );
    for (venue, says) in [
        ("", "[venue] needs either apikey_file"),
        (
            "apikey = \"k3y\"",
            "a real apikey does not belong in this file; use apikey_file",
        ),
        (
            "api_key = \"k3y\"\napikey_file = \"KEY\"",
            "openalgo knows no such key; use apikey_file",
        ),
        (
            "apikey_file = \"KEY\"\nrest = \"http://192.168.1.5:5000\"",
            "http:// is for 127.0.0.1 only; use https://",
        ),
        (
            "apikey_file = \"KEY\"\nticker = \"ws://algo.example:8765\"",
            "ws:// is for 127.0.0.1 only; use wss://",
        ),
    ] {
        let errors = refused(&with(venue), venue).to_string();
        assert!(errors.contains(says), "{venue}: {errors}");
    }
    let simulated =
        "kind = \"openalgo\"\nrest = \"http://127.0.0.1:1\"\nticker = \"ws://127.0.0.1:1\"";
    let simulated = format!("{}[venue]\n{simulated}\n{}", &RUN[..start], &RUN[end..]);
    let config = parsed(&simulated).expect("a simulated venue needs no key");
    assert_eq!(
        config.venue.login.get("apikey").map(Secret::expose),
        Some("simulated")
    );
}
