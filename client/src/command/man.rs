//! `elevate man`: the pages of the manual, made from the same description as `--help`, to be read or to be installed.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;
use serde::Serialize;

use crate::cli::Cli;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};

#[derive(Debug, clap::Args)]
#[command(after_help = "Read a page with `elevate man activate | man -l -`; install all with \
    `elevate man --into ~/.local/share/man/man1`")]
pub(crate) struct Args {
    /// The verb whose page is wanted, as `activate` or `policy apply`; none for the whole command's
    #[arg(value_name = "VERB", conflicts_with = "into")]
    verb: Vec<String>,
    /// Write every page into this folder, which is made where it is missing, over earlier ones
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

/// What was written where.
#[derive(Serialize)]
struct Written {
    pages: Vec<String>,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let mut whole = Cli::command();
    whole.build();
    if let Some(folder) = &args.into {
        let pages = install(&whole, folder)?;
        let text = format!("{} pages are in {}", pages.len(), folder.display());
        context.console.answer(&Written { pages }, || text)?;
        return Ok(Exit::Ok);
    }
    let wanted = find(&whole, &args.verb)?;
    context.console.data(&page(wanted)?.1)?;
    Ok(Exit::Ok)
}

fn find<'c>(whole: &'c clap::Command, verb: &[String]) -> Result<&'c clap::Command> {
    verb.iter().try_fold(whole, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            let verb = verb.join(" ");
            Failure::usage(format!("`elevate` has no verb `{}`", crate::render::clean_line(&verb)))
                .advice("`elevate --help` lists them")
        })
    })
}

/// A page and the name it is found under: `elevate-policy-apply.1`.
fn page(command: &clap::Command) -> Result<(String, String)> {
    let man = Man::new(command.clone());
    let name = man.get_filename();
    let mut roff = Vec::new();
    man.render(&mut roff).map_err(|error| Failure::usage(format!("cannot make the page {name}: {error}")))?;
    Ok((name, String::from_utf8_lossy(&roff).into_owned()))
}

fn install(whole: &clap::Command, folder: &Path) -> Result<Vec<String>> {
    let failed = |at: &Path, error: std::io::Error| {
        Failure::usage(format!("cannot write {}: {error}", at.display()))
            .advice("name a folder that you may write in")
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut pages = Vec::new();
    let mut waiting = vec![whole];
    while let Some(command) = waiting.pop() {
        let (name, text) = page(command)?;
        let path = folder.join(&name);
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
        pages.push(name);
        waiting.extend(command.get_subcommands());
    }
    pages.sort();
    Ok(pages)
}
