//! Untrusted text made harmless for the reader of each form.
//!
//! Escaping keeps the text readable and tells every character apart; it never drops one.

use std::fmt::Write as _;

/// True for what may move a cursor, reorder text or hide in it: C0 and C1 controls, DEL,
/// bidirectional marks and overrides, line separators, zero-width and other format characters.
pub(super) fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// For a terminal: every hostile character as `\x1b` or `\u{202e}`, and a backslash doubled only
/// where it could be taken for such an escape.
pub(crate) fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if matches!(chars.peek(), Some('x' | 'u' | '\\')) => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if is_hostile(c) && (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_hostile(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// Columns that a terminal gives `c`.
fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' => 0,
        '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' => 2,
        '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' => 2,
        '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Columns that a terminal gives `text`.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// `text` in at most `limit` columns; what was cut leaves an ellipsis.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        if used + columns(c) >= limit {
            break;
        }
        used += columns(c);
        out.push(c);
    }
    if limit > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(terminal("\x1b[2Jx\u{9b}1m"), "\\x1b[2Jx\\x9b1m");
        assert_eq!(terminal("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
    }

    #[test]
    fn an_escape_that_was_sent_as_letters_is_told_from_a_real_one() {
        assert_ne!(terminal("\\x1b"), terminal("\x1b"));
        assert_eq!(terminal(r"C:\dir"), r"C:\dir");
    }

    #[test]
    fn shortening_counts_columns_and_marks_the_cut() {
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten("日本語", 5), "日本…");
        assert_eq!(shorten("abcd", 4), "abcd");
        assert_eq!(shorten("abcd", 0), "");
    }

    #[test]
    fn no_text_keeps_a_hostile_character_or_grows_past_its_columns() {
        bolero::check!().with_type::<(String, u8)>().with_iterations(2000).for_each(
            |(text, limit)| {
                let safe = terminal(text);
                assert!(!safe.chars().any(is_hostile));
                let limit = usize::from(*limit);
                assert!(width(&shorten(&safe, limit)) <= limit);
            },
        );
    }
}
