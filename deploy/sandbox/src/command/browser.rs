//! `elevate-sandbox browser`: signs somebody in where a client asked for it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use elevate_sandbox::{Strength, browser, files, people};

use super::{FOLDER, say};

/// What `browser` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The address that the client would open in a browser.
    url: String,
    /// Who signs in: a short name such as `ann`, or a user principal name.
    #[arg(long = "as", default_value = "ann", value_name = "PERSON")]
    person: String,
    /// How strongly.
    #[arg(long, value_enum, default_value = "mfa")]
    strength: Strength,
    /// The tenant's `ca.pem`.
    #[arg(long, env = "ELEVATE_SANDBOX_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print the redirect to paste it somewhere, and do not follow it.
    #[arg(long)]
    print: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { url, person, strength, ca, print } = arguments;
    let ca = ca.unwrap_or_else(|| Path::new(FOLDER).join(files::CA));
    if print {
        let redirect = browser::redirect(&url, &person, strength, &ca).await?;
        say(&format!("{redirect}\n"))?;
    } else {
        browser::sign_in(&url, &person, strength, &ca).await?;
        let name = people::find(&person).map_or_else(|| person.clone(), |found| found.user_principal_name());
        say(&format!("signed in as {name} ({})\n", strength.title()))?;
    }
    Ok(())
}
