//! The brokers, and how a call finds its own: a match on the variant, in line.

use super::Facts;

/// The one list of the brokers: the folder of each and the type in it, here and in `sim/`, which speaks their wires. The
/// comment is that of the variant.
macro_rules! brokers {
    ($then:ident! $with:tt) => {
        $then! { $with
            /// Zerodha Kite Connect v3.
            kite::Kite,
            /// DhanHQ v2.
            dhan::Dhan,
            /// Kotak Neo Trade API, third generation.
            kotak::Kotak,
            /// OpenAlgo, in front of many brokers.
            openalgo::OpenAlgo,
        }
    };
}
pub(crate) use brokers;

macro_rules! declare {
    (() $($(#[$about:meta])* $folder:ident::$name:ident,)*) => {
        /// The brokers; every call is a match on the variant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Broker {
            $($(#[$about])* $name,)*
        }

        impl Broker {
            /// Every broker.
            pub const ALL: [Self; [$(Self::$name),*].len()] = [$(Self::$name),*];

            /// What is constant about the broker.
            pub const fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$name => &crate::venue::$folder::$name::FACTS,)*
                }
            }
        }
    };
}
brokers!(declare!());

impl Broker {
    /// The name in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Reads the name used in configuration and on the command line.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|broker| broker.name() == text)
    }
}

/// The match of one call.
macro_rules! dispatch {
    (
        ($broker:expr, $port:ident::$call:ident $arguments:tt)
        $($(#[$_about:meta])* $folder:ident::$name:ident,)*
    ) => {
        match $broker {
            $(Broker::$name => <crate::venue::$folder::$name as $port>::$call $arguments,)*
        }
    };
}

/// Declares a port, and gives [`Broker`] the same calls: each goes to the implementation in the broker's folder.
macro_rules! port {
    (
        $(#[$about:meta])*
        pub trait $port:ident {
            $(
                $(#[$doc:meta])*
                fn $call:ident $(<$life:lifetime>)? ($($name:ident: $kind:ty),* $(,)?) $(-> $answer:ty)?;
            )*
        }
    ) => {
        $(#[$about])*
        pub trait $port {
            $(
                $(#[$doc])*
                fn $call $(<$life>)? ($($name: $kind),*) $(-> $answer)?;
            )*
        }

        impl Broker {
            $(
                $(#[$doc])*
                #[inline]
                pub fn $call $(<$life>)? (self, $($name: $kind),*) $(-> $answer)? {
                    brokers!(dispatch! (self, $port::$call($($name),*)))
                }
            )*
        }
    };
}
