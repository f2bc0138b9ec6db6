//! Licence expressions against the list in `deny.toml`, for machines without cargo-deny.

/// The licences `deny.toml` allows, or `None` when it has no such list.
pub(crate) fn allowed(policy: &str) -> Option<Vec<String>> {
    let policy: toml::Table = policy.parse().ok()?;
    let list = policy.get("licenses")?.get("allow")?.as_array()?;
    Some(
        list.iter()
            .filter_map(|l| l.as_str().map(str::to_owned))
            .collect(),
    )
}

/// True when an SPDX expression can be satisfied from the list. `/` is the old way to write `OR`.
pub(crate) fn accepts(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced
        .split_whitespace()
        .collect::<Vec<_>>()
        .into_iter()
        .peekable();
    let result = any_of(&mut words, allowed);
    result && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

fn any_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut result = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        result |= all_of(words, allowed);
    }
    result
}

fn all_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut result = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        result &= one(words, allowed);
    }
    result
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let inner = any_of(words, allowed);
            words.next_if_eq(&")").is_some() && inner
        }
        Some(name) => {
            let full = match words.next_if_eq(&"WITH") {
                Some(_) => format!("{name} WITH {}", words.next().unwrap_or("")),
                None => name.to_owned(),
            };
            allowed.contains(&full)
        }
        None => false,
    }
}
