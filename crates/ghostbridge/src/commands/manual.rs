//! `man` and `completions`: made from the command line's own data.

use std::io::{self, Write};
use std::path::Path;
use std::{fs, path::PathBuf};

use clap::CommandFactory;

use crate::cli::Cli;
use crate::outcome::{Done, Failed, printed, say};

/// Prints the main page, or writes one page a command into `dir`.
pub(crate) fn man(dir: Option<PathBuf>) -> Result<Done, Failed> {
    let command = Cli::command();
    match dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).map_err(Failed::new)?;
            printed(io::stdout().write_all(&page))?;
        }
        Some(dir) => {
            fs::create_dir_all(&dir).map_err(|e| in_folder(&dir, e))?;
            clap_mangen::generate_to(command, &dir).map_err(|e| in_folder(&dir, e))?;
            say(format_args!("wrote the manual pages into {}", dir.display()));
        }
    }
    Ok(Done::Well)
}

fn in_folder(dir: &Path, error: io::Error) -> Failed {
    Failed::new(format!("{}: {error}", dir.display()))
}

/// Prints the completions for `shell`.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Done, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ghostbridge", &mut script);
    printed(io::stdout().write_all(&script))?;
    Ok(Done::Well)
}
