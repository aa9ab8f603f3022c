//! Fits the shipped rows to a model: `cargo run --release -p ghost-embed --example fit_rows
//! MODEL-FOLDER [OUT-FOLDER]`. Run it when the glossary has changed; takes some minutes.

use std::io::Write as _;
use std::path::PathBuf;

use ghost_embed::{Model, fit};

const FIELD_TEXTS: usize = 10_000;
/// 5,100 rows of 386 bytes stay below 2 MB.
const TOKENS: usize = 5_100;
const TOKEN_TEXTS: usize = 16_000;
const SEED: u64 = 20_260_701;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = args.next().ok_or("which folder holds model.onnx?")?;
    let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data"));
    let out = args.next().unwrap_or(here);
    let only = args.next().map(|p| p.to_string_lossy().into_owned());
    let mut model = Model::load(&folder)?;
    let mut told = |done: usize| {
        if done.is_multiple_of(400) {
            let _ = write!(std::io::stderr(), "\r{done} texts ");
        }
    };
    let say = |what: &str, fitted: &fit::Fitted| {
        let _ = writeln!(
            std::io::stderr(),
            "\r{what}: {} rows, {} bytes, held-out cosine {:.4}, p1 {:.3}",
            fitted.rows,
            fitted.bytes.len(),
            fitted.cosine_mean,
            fitted.cosine_p1
        );
    };
    if only.as_deref() != Some("tokens") {
        let fields = fit::field_rows(&mut model, FIELD_TEXTS, SEED, &mut told)?;
        say("fields", &fields);
        std::fs::write(out.join("fields.rows"), &fields.bytes)?;
    }
    if only.as_deref() != Some("fields") {
        let tokens = fit::token_rows(&mut model, TOKENS, TOKEN_TEXTS, SEED, &mut told)?;
        say("tokens", &tokens);
        std::fs::write(out.join("tokens.rows"), &tokens.bytes)?;
    }
    Ok(())
}
