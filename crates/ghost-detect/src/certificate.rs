//! Certificates that their own subject signed, whose names make no sense, or that are long over.

use ghost_event::{Behaviours, Features};

use crate::bounded::entropy;

/// Days past its end that make a certificate odd; shorter is a forgotten renewal.
const DAYS_OVER: i64 = 30;
const DAY_NS: i64 = 86_400_000_000_000;

/// Names that certificate tools fill in when nobody says anything.
const FILLED_IN: &[&str] = &[
    "internet widgits pty ltd",
    "some-state",
    "default company ltd",
    "default city",
    "my company",
    "organization name",
    "acme co",
];

/// Names that programs give to the certificates which they make for themselves at installation.
const OF_PROGRAMS: &[&str] = &["CN=AnyDesk Client"];

/// Certificates of calls, remote desktops and mail are made by their programs: nothing odd.
pub(crate) fn judge(f: &Features) -> Behaviours {
    if !matches!(f.app, "tls" | "http" | "http2" | "quic" | "") {
        return Behaviours::NONE;
    }
    let subject = f.names.get("tls.subject").unwrap_or("");
    let issuer = f.names.get("tls.issuerdn").unwrap_or("");
    if OF_PROGRAMS.contains(&subject) {
        return Behaviours::NONE;
    }
    let odd = (!subject.is_empty() && (self_signed(subject, issuer) || senseless(subject, issuer)))
        || f.names.get("tls.notafter").is_some_and(|end| over(end, f.first.0));
    if odd { Behaviours::ODD_CERTIFICATE } else { Behaviours::NONE }
}

fn self_signed(subject: &str, issuer: &str) -> bool {
    subject == issuer
}

/// Left as the tool filled it in, or an own name of random letters.
fn senseless(subject: &str, issuer: &str) -> bool {
    let both = format!("{subject},{issuer}").to_ascii_lowercase();
    if FILLED_IN.iter().any(|words| both.contains(words)) {
        return true;
    }
    let common = common_name(subject);
    let label = common.split('.').next().unwrap_or("");
    let letters = label.len() >= 16 && label.bytes().all(|b| b.is_ascii_alphanumeric());
    letters && !common.contains('.') && entropy(label.as_bytes()) > 3.6 && has_digit_runs(label)
}

fn common_name(name: &str) -> &str {
    let at = name.find("CN=").map_or(name.len(), |at| at + 3);
    name.get(at..).and_then(|rest| rest.split([',', '/', '+']).next()).unwrap_or("").trim()
}

/// Digits in more than two places between letters, as random text has and words have not.
fn has_digit_runs(label: &str) -> bool {
    let mut runs = 0;
    let mut before = false;
    for b in label.bytes() {
        let digit = b.is_ascii_digit();
        runs += u32::from(digit && !before);
        before = digit;
    }
    runs > 2
}

/// Whether an RFC 3339 time lies more than [`DAYS_OVER`] before `now`.
fn over(end: &str, now_ns: i64) -> bool {
    let number = |range: std::ops::Range<usize>| -> Option<i64> { end.get(range)?.parse().ok() };
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let end_days = days(year, month, day);
    now_ns / DAY_NS > end_days + DAYS_OVER
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2024, 2, 29), 19_782);
        assert_eq!(days(1969, 12, 31), -1);
    }

    #[test]
    fn a_certificate_is_odd_a_month_after_its_end_and_not_before() {
        let now = days(2024, 6, 1) * DAY_NS;
        assert!(over("2024-04-30T00:00:00Z", now));
        assert!(!over("2024-05-15T00:00:00Z", now));
        assert!(!over("nonsense", now));
    }

    #[test]
    fn names_left_as_filled_in_are_odd_and_plain_ones_are_not() {
        assert!(senseless("C=AU, ST=Some-State, O=Internet Widgits Pty Ltd", "C=AU"));
        assert!(senseless("CN=a8f3kq90zx71mw4p", "CN=b"));
        assert!(!senseless("C=US, O=Example Org, CN=www.example.org", "CN=Example CA"));
        assert!(!senseless("CN=DESKTOPMACHINE12", "CN=CA"));
    }
}
