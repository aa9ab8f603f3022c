//! `key`: shown to those who verify, replaced, backed up.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use ghost_node::proofs::{self, NoKey, SigningKey};
use ghost_node::{DataDir, RealClock};
use serde_json::json;

use crate::cli::{KeyCommand, Place, VerdictFormat};
use crate::commands::log::print_json;
use crate::host::random;
use crate::outcome::{Done, Failed, printed, say};
use crate::render::safe_text;

pub(crate) fn run(place: &Place, asked: KeyCommand) -> Result<Done, Failed> {
    let data = place.data_with_log()?;
    match asked {
        KeyCommand::Show { output } => show(&data, output),
        KeyCommand::Rotate { output } => rotate(&data, output),
        KeyCommand::Backup { file } => backup(&data, &file),
    }
}

fn key_of(data: &DataDir) -> Result<(SigningKey, std::path::PathBuf), Failed> {
    proofs::signing_key(data).map_err(|error| match &error {
        NoKey::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Failed::permission(format!("{error}; only the log's owner and root may read its key"))
        }
        _ => Failed::new(error),
    })
}

fn show(data: &DataDir, output: VerdictFormat) -> Result<Done, Failed> {
    let (key, path) = key_of(data)?;
    let public = key.verifying_key();
    match output {
        VerdictFormat::Table => {
            printed(writeln!(io::stdout(), "{}", safe_text(&public.to_string())))?;
            say(format_args!(
                "key {}, private in {}; give the line above to whoever verifies or witnesses this log",
                public.id,
                path.display()
            ));
        }
        VerdictFormat::Json => print_json(&json!({
            "key": public.id.to_string(),
            "name": public.name,
            "vkey": public.to_string(),
            "file": path,
        }))?,
    }
    Ok(Done::Well)
}

fn rotate(data: &DataDir, output: VerdictFormat) -> Result<Done, Failed> {
    let rotated = proofs::rotate_key(
        data,
        proofs::host_identity(),
        [random()?, random()?],
        random()?,
        Arc::new(RealClock),
    )
    .map_err(|error| {
        if proofs::is_locked(&error) {
            return Failed::new(format!(
                "{error}. A new key is written into the log, which the daemon holds: stop it, run \
                 this again, start it again"
            ));
        }
        Failed::caused(error)
    })?;
    let new = &rotated.new;
    match output {
        VerdictFormat::Table => {
            printed(writeln!(io::stdout(), "{}", safe_text(&new.to_string())))?;
            let by = match &rotated.old {
                Some(old) => format!("key {} named it in the log", old.id),
                None => "the log had none before".to_owned(),
            };
            say(format_args!(
                "key {} signs from here on ({by}), and has signed the first {} lines; back it up \
                 with `ghostbridge key backup FILE`",
                new.id, rotated.size
            ));
        }
        VerdictFormat::Json => print_json(&json!({
            "key": new.id.to_string(),
            "name": new.name,
            "vkey": new.to_string(),
            "by": rotated.old.as_ref().map(|old| old.id.to_string()),
            "size": rotated.size,
        }))?,
    }
    Ok(Done::Well)
}

fn backup(data: &DataDir, path: &Path) -> Result<Done, Failed> {
    let (key, _) = key_of(data)?;
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => Failed::new(format!(
            "{}: there is a file already, which is left as it is; name another",
            path.display()
        )),
        io::ErrorKind::PermissionDenied => Failed::permission(format!("{}: {e}", path.display())),
        _ => Failed::new(format!("{}: {e}", path.display())),
    };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let text = format!("{}\n", key.secret());
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    say(format_args!(
        "{}: the private key {} of {}. Whoever has this file can sign in this log's name: keep it \
         where the machine is not. If the machine loses its key and there is no such file, the log \
         goes on with a new key that nobody authorised, and all who trusted this one must be told \
         by other means.",
        path.display(),
        key.id(),
        safe_text(&key.verifying_key().name)
    ));
    Ok(Done::Well)
}
