//! The committed programs for the kernel are those of the sources beside them.
//!
//! Compilers differ, so objects cannot be compared; `bpf/SOURCES` names the digest of the sources
//! that the committed objects were built from. After a change there:
//! `GHOST_BPF_COMMIT=1 cargo build -p ghost-tap`, then put the digest that this test names into it.

use sha2::{Digest, Sha256};

#[test]
fn the_committed_objects_were_built_from_the_sources_beside_them() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/");
    let mut digest = Sha256::new();
    for name in ["kernel.h", "tap.bpf.c", "open.bpf.c"] {
        digest.update(std::fs::read(format!("{folder}{name}")).unwrap());
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let noted = std::fs::read_to_string(format!("{folder}SOURCES")).unwrap();
    assert_eq!(noted.trim(), digest, "build the objects anew (see this file's head)");
}
