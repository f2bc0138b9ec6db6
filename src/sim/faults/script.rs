//! Faults from a script: TOML, `[[fault]]` tables, errors with file, line, key and what is allowed.

use super::{Fault, Faults, Kind, On, Pick, Rule};
use serde::Deserialize;
use toml::Spanned;

/// Why a script cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(pub String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    fault: Vec<Spanned<Row>>,
    stop_after_ms: Option<u64>,
    seed: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    on: On,
    what: Kind,
    nth: Option<u64>,
    every: Option<u64>,
    percent: Option<f64>,
    between: Option<[u64; 2]>,
    tag: Option<String>,
    symbol: Option<String>,
    after_ms: Option<u64>,
    for_ms: Option<u64>,
    share: Option<u8>,
    status: Option<u16>,
    accepted: Option<bool>,
    memory: Option<bool>,
}

impl Faults {
    /// Reads a script; `name` stands in the errors.
    ///
    /// # Errors
    ///
    /// File, line, key and what is allowed.
    pub fn script(name: &str, text: &str) -> Result<Self, ScriptError> {
        let file: File =
            toml::from_str(text).map_err(|error| ScriptError(format!("{name}: {error}")))?;
        let mut faults = Self {
            seed: file.seed.unwrap_or(1),
            stop_after_ms: file.stop_after_ms,
            ..Self::default()
        };
        for row in &file.fault {
            let line = text
                .get(..row.span().start)
                .map_or(0, |before| before.matches('\n').count())
                + 1;
            let rule = row
                .get_ref()
                .rule()
                .map_err(|words| ScriptError(format!("{name}:{line}: {words}")))?;
            faults.rules.push(rule);
        }
        Ok(faults)
    }
}

impl Row {
    fn rule(&self) -> Result<Rule, String> {
        let (kind, on) = (self.what, self.on);
        if !kind.fits(on) {
            let all = [
                On::Place,
                On::Modify,
                On::Cancel,
                On::Orders,
                On::Trades,
                On::Positions,
                On::Login,
                On::Other,
                On::Update,
            ];
            let allowed: Vec<&str> = all
                .into_iter()
                .filter(|on| kind.fits(*on))
                .map(On::name)
                .collect();
            return Err(format!(
                "`what = \"{}\"` cannot strike `on = \"{}\"`; it can strike {}",
                kind.name(),
                on.name(),
                allowed.join(", ")
            ));
        }
        let pick = match (self.nth, self.every, self.percent) {
            (None, None, None) => Pick::All,
            (Some(n), None, None) if n > 0 => Pick::Nth(n),
            (None, Some(n), None) if n > 0 => Pick::Every(n),
            (None, None, Some(p)) if (0.0..=100.0).contains(&p) => Pick::Percent(p),
            (None, None, Some(p)) => return Err(format!("`percent` is {p}; 0 to 100 is allowed")),
            (Some(_), None, None) => return Err("`nth` is 0; it counts from 1".to_owned()),
            (None, Some(_), None) => return Err("`every` is 0; at least 1 is allowed".to_owned()),
            _ => return Err("only one of `nth`, `every`, `percent` is allowed".to_owned()),
        };
        let between_ms = match self.between {
            None => (0, u64::MAX),
            Some([from, to]) if from < to => (from, to),
            Some([from, to]) => {
                return Err(format!(
                    "`between` is [{from}, {to}]; the second must be larger"
                ));
            }
        };
        let share = self.share.unwrap_or(50);
        if !(1..=100).contains(&share) {
            return Err(format!("`share` is {share}; 1 to 100 is allowed"));
        }
        let status = self.status.unwrap_or(502);
        if !(500..=599).contains(&status) {
            return Err(format!("`status` is {status}; 500 to 599 is allowed"));
        }
        Ok(Rule {
            on,
            pick,
            between_ms,
            tag: self.tag.clone(),
            symbol: self.symbol.clone(),
            fault: Fault {
                kind,
                after_ms: self.after_ms.unwrap_or(0),
                for_ms: self.for_ms.unwrap_or(0),
                share,
                status,
                accepted: self.accepted.unwrap_or(kind != Kind::ServerError),
                memory: self.memory.unwrap_or(true),
            },
            matches: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_file_reads_and_has_every_kind() {
        let text = include_str!("../../../config/faults.toml");
        let faults = Faults::script("config/faults.toml", text).expect("the example");
        let shown = faults.to_string();
        for kind in [
            "lost",
            "late_accept",
            "stale",
            "restart",
            "twin",
            "swap",
            "margin",
        ] {
            assert!(
                shown.contains(&format!("fault: {kind} ")),
                "{kind}: {shown}"
            );
        }
    }

    #[test]
    fn a_wrong_script_is_refused_with_its_line_and_what_is_allowed() {
        let fault = |text: &str| Faults::script("f.toml", text).expect_err(text).to_string();
        let head = "\n[[fault]]\non = \"place\"\nwhat = \"lost\"\n";
        for (text, words) in [
            (
                "[[fault]]\non = \"place\"\nwhat = \"eaten\"\n",
                "unknown variant `eaten`",
            ),
            ("[[fault]]\non = \"lunch\"\nwhat = \"lost\"\n", "line 2"),
            (
                "\n\n[[fault]]\non = \"trades\"\nwhat = \"band\"\n",
                "f.toml:3: `what = \"band\"`",
            ),
            (&format!("{head}nth = 0"), "counts from 1"),
            (&format!("{head}every = 0"), "at least 1"),
            (&format!("{head}percent = 100.1"), "0 to 100"),
            (&format!("{head}percent = 5\nnth = 1"), "only one of"),
            (&format!("{head}between = [5, 5]"), "must be larger"),
            (&format!("{head}share = 101"), "1 to 100"),
            (&format!("{head}status = 499"), "500 to 599"),
            (&format!("{head}colour = 1"), "unknown field `colour`"),
        ] {
            let said = fault(text);
            assert!(said.contains(words) && said.starts_with("f.toml"), "{said}");
        }
        assert!(
            Faults::script(
                "f",
                &format!("{head}percent = 100.0\nshare = 100\nstatus = 599")
            )
            .is_ok()
        );
    }
}
