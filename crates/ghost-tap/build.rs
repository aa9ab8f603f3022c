//! Builds the programs for the kernel with clang where it is there and works; else takes the
//! committed objects, which were built from the same sources. `GHOST_BPF_COMMIT=1` puts what was
//! built in their place.

#![expect(clippy::disallowed_methods, reason = "a build script starts the compiler")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

const PROGRAMS: [&str; 2] = ["tap", "open"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=GHOST_BPF_CLANG");
    println!("cargo:rerun-if-env-changed=GHOST_BPF_COMMIT");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let commit = env::var_os("GHOST_BPF_COMMIT").is_some();
    for name in PROGRAMS {
        let source = format!("bpf/{name}.bpf.c");
        let committed = format!("bpf/{name}.bpf.o");
        let built = out.join(format!("{name}.bpf.o"));
        if !compile(Path::new(&source), &built) {
            fs::copy(&committed, &built)?;
        } else if commit {
            fs::copy(&built, &committed)?;
        }
    }
    Ok(())
}

fn compile(source: &Path, built: &Path) -> bool {
    let clang = env::var_os("GHOST_BPF_CLANG").unwrap_or_else(|| "clang".into());
    // BTF, which names the maps, comes with -g only.
    let mut compiler = Command::new(clang);
    compiler
        .args(["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-c"])
        .arg(source)
        .arg("-o")
        .arg(built);
    if !succeeds(&mut compiler) {
        return false;
    }
    // Without these tools the object is larger, no more. The kernel does without line numbers.
    succeeds(Command::new("llvm-strip").arg("-g").arg(built));
    succeeds(Command::new("llvm-objcopy").args(["--remove-section", ".BTF.ext"]).arg(built));
    true
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
