//! Whose service a host name is: a closed table of well-known names.
//!
//! The longest known suffix decides (`meet.google.com` before `google.com`). The table tells a
//! kind of service to texts and filters; it does not judge, and a name that is not in it has no
//! brand.

use std::sync::LazyLock;

use hashbrown::HashMap;

/// A well-known service or maker.
#[derive(Debug, PartialEq, Eq)]
pub struct Brand {
    pub name: &'static str,
    /// `video streaming`, `messaging`, …: see [`crate::category`].
    pub category: &'static str,
    /// Domains that are the brand's, with all below them.
    pub suffixes: Vec<&'static str>,
}

static BY_SUFFIX: LazyLock<HashMap<&'static str, &'static Brand>> = LazyLock::new(|| {
    let of_brand = |brand: &'static Brand| brand.suffixes.iter().map(move |s| (*s, brand));
    BRANDS.iter().flat_map(of_brand).collect()
});

/// The brand of a host name, in any case, with or without port or final dot.
#[must_use]
pub fn of(host: &str) -> Option<&'static Brand> {
    let host = host.split(':').next().unwrap_or(host).trim_end_matches('.');
    if host.len() > 253 {
        return None;
    }
    let lower;
    let mut rest = if host.bytes().any(|b| b.is_ascii_uppercase()) {
        lower = host.to_ascii_lowercase();
        lower.as_str()
    } else {
        host
    };
    loop {
        if let Some(brand) = BY_SUFFIX.get(rest) {
            return Some(brand);
        }
        rest = rest.split_once('.')?.1;
    }
}

/// The brand of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Brand> {
    BRANDS.iter().find(|brand| brand.name == name)
}

/// Every brand, one a line: name; category; domains.
pub static BRANDS: LazyLock<Vec<Brand>> =
    LazyLock::new(|| include_str!("brands.txt").lines().filter_map(read).collect());

fn read(line: &'static str) -> Option<Brand> {
    let mut parts = line.split("; ");
    let (name, category, suffixes) = (parts.next()?, parts.next()?, parts.next()?);
    let known = !line.starts_with('#') && parts.next().is_none();
    known.then(|| Brand { name, category, suffixes: suffixes.split(' ').collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(host: &str) -> &'static str {
        of(host).map_or("", |brand| brand.name)
    }

    #[test]
    fn the_longest_known_suffix_decides() {
        assert_eq!(name("meet.google.com"), "Google Meet");
        assert_eq!(name("www.google.com"), "Google");
        assert_eq!(name("rr4---sn-abc.googlevideo.com"), "YouTube");
        assert_eq!(name("WWW.NetFlix.com."), "Netflix");
        assert_eq!(name("teams.microsoft.com:443"), "Microsoft Teams");
        assert_eq!(name("notnetflix.com"), "");
        assert_eq!(name("com"), "");
        assert_eq!(name(""), "");
    }

    #[test]
    fn no_suffix_belongs_to_two_brands_and_all_are_lower_case() {
        let all: Vec<&str> = BRANDS.iter().flat_map(|b| &b.suffixes).copied().collect();
        assert_eq!(BY_SUFFIX.len(), all.len(), "a suffix stands twice");
        assert!(all.iter().all(|s| *s == s.to_ascii_lowercase() && s.contains('.')));
        let lines = include_str!("brands.txt").lines().filter(|l| !l.starts_with('#')).count();
        assert_eq!(BRANDS.len(), lines, "a line of the table can't be read");
        assert!(BRANDS.len() >= 150);
    }

    #[test]
    fn every_brand_has_a_category_of_the_closed_list() {
        for brand in &*BRANDS {
            assert!(crate::category::ALL.contains(&brand.category), "{}", brand.name);
        }
    }

    #[test]
    fn any_text_has_an_answer() {
        bolero::check!().with_iterations(2000).with_type::<String>().for_each(|host| {
            if let Some(brand) = of(host) {
                assert!(brand.suffixes.iter().any(|s| host.to_ascii_lowercase().contains(s)));
            }
        });
    }
}
