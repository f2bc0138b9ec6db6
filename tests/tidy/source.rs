//! Source files as texts, with comments and literals blanked so that a search sees only code.

use std::path::Path;

/// One file: its path below the tree's root with `/`, its text, and the text with only code in it.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: blank(text),
        }
    }
}

/// Reads every `.rs` file below a folder.
pub(crate) fn read_tree(root: &Path) -> std::io::Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path
                    .strip_prefix(root)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push(Source::new(&name, &std::fs::read_to_string(&path)?));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Replaces comments, strings and character literals by spaces; lines stay where they are.
fn blank(text: &str) -> String {
    let mut rest: &str = text;
    let mut code = String::with_capacity(text.len());
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let word_ends = !(before.is_alphanumeric() || before == '_');
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
            '\'' => character(rest),
            'r' | 'b' | 'c' if word_ends => prefixed(rest),
            _ => 0,
        };
        let taken = if skipped == 0 {
            first.len_utf8()
        } else {
            skipped
        };
        let (part, after) = rest.split_at(taken);
        if skipped == 0 {
            code.push_str(part);
        } else {
            code.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        before = first;
        rest = after;
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal, zero for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => text[3..].find('\'').map_or(0, |at| at + 4),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Length of `b"…"`, `r"…"`, `br#"…"#`, `c"…"` or `b'…'`, zero when it is a word.
fn prefixed(text: &str) -> usize {
    let letters = text
        .bytes()
        .take_while(|b| matches!(b, b'r' | b'b' | b'c'))
        .count();
    let hashes = text
        .bytes()
        .skip(letters)
        .take_while(|b| *b == b'#')
        .count();
    let start = letters + hashes;
    let raw = text[..letters].ends_with('r');
    match text.as_bytes().get(start) {
        Some(b'"') if raw => {
            let end = format!("\"{}", "#".repeat(hashes));
            text[start + 1..]
                .find(&end)
                .map_or(text.len(), |at| start + 1 + at + end.len())
        }
        Some(b'"') if hashes == 0 && letters <= 2 => start + quoted(&text[start..]),
        Some(b'\'') if hashes == 0 && letters == 1 => match character(&text[start..]) {
            0 => 0,
            length => start + length,
        },
        _ => 0,
    }
}
