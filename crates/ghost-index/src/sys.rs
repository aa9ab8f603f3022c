//! Code compiled for the processor at hand: the one place here that needs `unsafe`.

use crate::scan::{Row, dots_plain};

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dots_avx2(query: &Row, rows: &[Row], out: &mut Vec<i32>) {
    crate::scan::each(query, rows, out);
}

/// The dot product of `query` with each row, appended to `out`.
pub(crate) fn dots(query: &Row, rows: &[Row], out: &mut Vec<i32>) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "a function compiled for AVX2 may run only where it is")]
        // SAFETY: the processor was just asked and has AVX2, the function's only requirement.
        unsafe {
            dots_avx2(query, rows, out);
        }
        return;
    }
    dots_plain(query, rows, out);
}
