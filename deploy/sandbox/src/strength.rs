//! How strongly somebody signed in, and what Entra writes into `amr` for it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way of signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// Password and nothing else.
    Pwd,
    /// Password and a text message: multi-factor, and easily phished.
    Sms,
    /// Password and an Authenticator push.
    Mfa,
    /// A FIDO2 passkey: multi-factor and phishing-resistant.
    Fido,
}

impl Strength {
    /// Every way, weakest first.
    pub const ALL: [Self; 4] = [Self::Pwd, Self::Sms, Self::Mfa, Self::Fido];

    /// The `amr` claim, value by value as Entra's reference lists them for version 2.0 tokens.
    #[must_use]
    pub fn amr(self) -> &'static [&'static str] {
        match self {
            Self::Pwd => &["pwd"],
            Self::Sms => &["pwd", "sms", "mfa"],
            Self::Mfa => &["pwd", "rsa", "ngcmfa", "mfa"],
            Self::Fido => &["fido", "mfa"],
        }
    }

    /// Whether it satisfies what an authentication context demands. A text message is MFA to Entra.
    #[must_use]
    pub fn satisfies(self, demanded: Self) -> bool {
        match demanded {
            Self::Pwd => true,
            Self::Sms | Self::Mfa => self != Self::Pwd,
            Self::Fido => self == Self::Fido,
        }
    }

    /// The word for it in addresses, JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pwd => "pwd",
            Self::Sms => "sms",
            Self::Mfa => "mfa",
            Self::Fido => "fido",
        }
    }

    /// What the sign-in page calls it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Pwd => "Password only",
            Self::Sms => "Password and text message",
            Self::Mfa => "Password and Authenticator push",
            Self::Fido => "FIDO2 passkey",
        }
    }
}

impl FromStr for Strength {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|strength| strength.word() == word)
            .ok_or_else(|| format!("`{word}` is no strength; say pwd, sms, mfa or fido"))
    }
}
