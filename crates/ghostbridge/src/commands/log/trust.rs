//! Whom the user trusts: keys and checkpoints, from the command line or from files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ghost_node::proofs::{Against, Head, NOTE_BYTES_MAX, SignedCheckpoint, Use, VerifyingKey};

use crate::outcome::Failed;

/// A file of keys is small.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Keys of logs.
pub(super) fn keys(words: &[String]) -> Result<Vec<VerifyingKey>, Failed> {
    of_use(words, "--key", Use::Notes, "a witness's; give it with --witness")
}

/// Keys of witnesses.
pub(super) fn witnesses(words: &[String]) -> Result<Vec<VerifyingKey>, Failed> {
    of_use(words, "--witness", Use::Cosignatures, "a log's; give it with --key")
}

fn of_use(
    words: &[String],
    option: &str,
    wanted: Use,
    other: &str,
) -> Result<Vec<VerifyingKey>, Failed> {
    let mut all = Vec::new();
    for word in words {
        let texts = match VerifyingKey::parse(word) {
            Err(error) if Path::new(word).is_file() => {
                let bytes = read(Path::new(word), KEY_BYTES_MAX)?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| Failed::new(format!("{word}: {error}")))?;
                text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect()
            }
            _ => vec![word.clone()],
        };
        for text in texts {
            if text.starts_with("PRIVATE+KEY+") {
                return Err(Failed::usage(format!(
                    "{option}: that is a private key; give the public one, as `ghostbridge key \
                     show` prints it, and let nobody see the other"
                )));
            }
            let key = VerifyingKey::parse(text.trim())
                .map_err(|e| Failed::usage(format!("{option} {word}: {e}")))?;
            if key.use_ != wanted {
                return Err(Failed::usage(format!("{option} {word}: this key is {other}")));
            }
            all.push(key);
        }
    }
    Ok(all)
}

/// A head, or a file with a checkpoint.
pub(super) fn against(word: &str) -> Result<Against, Failed> {
    if let Some(head) = Head::parse(word) {
        return Ok(head.into());
    }
    if word != "-" && !Path::new(word).exists() {
        return Err(Failed::usage(format!(
            "--against {word}: expected SEQ:LEAF, a line's number and the 64 hexadecimal digits of \
             its hash, as `log verify` prints them, or a file that holds a checkpoint"
        )));
    }
    Ok(checkpoint(Path::new(word))?.into())
}

/// The checkpoint that a file holds.
pub(super) fn checkpoint(path: &Path) -> Result<SignedCheckpoint, Failed> {
    let bytes = read(path, NOTE_BYTES_MAX as u64 + 1)?;
    SignedCheckpoint::parse(&bytes).map_err(|e| Failed::new(format!("{}: {e}", path.display())))
}

/// At most so many bytes of a file, or of standard input.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(bytes_max).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(bytes_max).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            Err(Failed::permission(format!("{}: {e}", path.display())))
        }
        Err(e) => Err(Failed::new(format!("{}: {e}", path.display()))),
    }
}
