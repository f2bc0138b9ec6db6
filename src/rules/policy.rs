//! What happens when one leg of an intent fails while the other lives (reliability, O9).

/// The policy of a strategy for an imbalance between its legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Try the missing leg again up the ladder; when that does not help in time, close what is filled.
    #[default]
    Complete,
    /// Close what is filled at once.
    Unwind,
    /// Leave it and raise an alarm: a person decides.
    HoldAndAlarm,
    /// Leave it: each leg is a trade of its own.
    Continue,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Self; 4] = [
        Self::Complete,
        Self::Unwind,
        Self::HoldAndAlarm,
        Self::Continue,
    ];

    /// The word in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Unwind => "unwind",
            Self::HoldAndAlarm => "hold_and_alarm",
            Self::Continue => "continue",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == text)
    }
}

/// How a strategy's legs are kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegsPolicy {
    /// What to do about an imbalance.
    pub policy: Policy,
    /// Units by which the filled parts of the legs may differ.
    pub imbalance_qty: u32,
    /// How long they may differ by more, in nanoseconds.
    pub imbalance_ns: u64,
    /// Attempts for one slice, rejections and replacements together.
    pub attempts_max: u8,
}

impl Default for LegsPolicy {
    fn default() -> Self {
        Self {
            policy: Policy::Complete,
            imbalance_qty: 0,
            imbalance_ns: 4_000_000_000,
            attempts_max: 6,
        }
    }
}
