//! What is measured: which client, over what, how often.

/// A client of the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// Same sockets, same bytes, no logic.
    Floor,
    /// The engine on one thread.
    Fused,
    /// The engine on three threads.
    Split,
    /// A program of somebody else's.
    Peer(Peer),
}

/// How to start somebody else's client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    name: String,
    /// A shell command; the venue's ready file is appended as its last argument.
    pub(super) command: String,
}

impl Peer {
    /// Reads `NAME=COMMAND`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, command) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?}: expected NAME=COMMAND"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!(
                "{name:?}: a name has letters, digits, - and _ (it becomes a file name)"
            ));
        }
        if ["floor", "fused", "split"].contains(&name) {
            return Err(format!("{name:?} is a client of tezi's own"));
        }
        if command.trim().is_empty() {
            return Err(format!("{text:?}: no command after ="));
        }
        Ok(Self {
            name: name.to_owned(),
            command: command.to_owned(),
        })
    }
}

impl Client {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Floor => "floor",
            Self::Fused => "fused",
            Self::Split => "split",
            Self::Peer(peer) => &peer.name,
        }
    }
}

/// When triggers leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// So many microseconds after the round before (closed loop).
    Pause(u32),
    /// So many a second, whatever happened (open loop).
    Rate(u32),
}

impl Load {
    /// The words shown to people.
    pub(super) fn name(self) -> String {
        match self {
            Self::Pause(us) if us >= 1_000 && us.is_multiple_of(1_000) => {
                format!("pause {} ms", us / 1_000)
            }
            Self::Pause(us) => format!("pause {us} µs"),
            Self::Rate(rate) => format!("{rate} a second, open loop"),
        }
    }

    /// As part of a file name.
    pub(super) fn slug(self) -> String {
        match self {
            Self::Pause(us) => format!("{us}us"),
            Self::Rate(rate) => format!("{rate}-per-s"),
        }
    }

    /// Microseconds a trigger takes at least.
    pub(super) fn spacing_us(self) -> u64 {
        match self {
            Self::Pause(us) => u64::from(us),
            Self::Rate(rate) => 1_000_000 / u64::from(rate.max(1)),
        }
    }
}

/// One line of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) client: Client,
    pub(super) is_tls: bool,
    pub(super) load: Load,
}

impl Case {
    pub(super) const fn transport(&self) -> &'static str {
        if self.is_tls { "TLS" } else { "plain" }
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.client.name(), self.transport())
    }

    /// As a file name.
    pub(super) fn slug(&self) -> String {
        let name = self.name().replace(' ', "-").to_lowercase();
        format!("{name}-{}", self.load.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_and_a_command_that_may_hold_more_signs() {
        let peer = Peer::parse("py=FOO=1 python peer.py").unwrap();
        assert_eq!(
            (peer.name.as_str(), peer.command.as_str()),
            ("py", "FOO=1 python peer.py")
        );
        for bad in ["python", "=x", "a b=x", "../up=x", "x=", "x= ", "fused=x"] {
            assert!(Peer::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_load_is_named_for_people_and_for_files() {
        let named = |load: Load| (load.name(), load.slug(), load.spacing_us());
        let row = |name: &str, slug: &str, us| (name.to_owned(), slug.to_owned(), us);
        assert_eq!(named(Load::Pause(300)), row("pause 300 µs", "300us", 300));
        assert_eq!(
            named(Load::Pause(25_000)),
            row("pause 25 ms", "25000us", 25_000)
        );
        assert_eq!(named(Load::Pause(0)), row("pause 0 µs", "0us", 0));
        let open = row("500 a second, open loop", "500-per-s", 2_000);
        assert_eq!(named(Load::Rate(500)), open);
    }
}
