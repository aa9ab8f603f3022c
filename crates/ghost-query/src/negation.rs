//! Words that turn what follows into its opposite.

/// Longest first, where one begins like another.
const NEGATIONS: &[&[&str]] = &[
    &["other", "than"],
    &["rather", "than"],
    &["instead", "of"],
    &["apart", "from"],
    &["aside", "from"],
    &["anything", "but"],
    &["everything", "but"],
    &["all", "but"],
    &["but", "not"],
    &["and", "not"],
    &["with", "no"],
    &["none", "of"],
    &["except", "for"],
    &["except"],
    &["excepting"],
    &["excluding"],
    &["exclude"],
    &["excludes"],
    &["omit"],
    &["omitting"],
    &["skip"],
    &["skipping"],
    &["ignore"],
    &["without"],
    &["besides"],
    &["not"],
    &["no"],
    &["non"],
    &["never"],
    &["minus"],
    &["ignoring"],
    &["isn't"],
    &["aren't"],
    &["wasn't"],
    &["weren't"],
    &["don't"],
    &["doesn't"],
    &["didn't"],
];

/// What may stand between a negation and what it is about.
const FILLERS: &[&str] = &[
    "the", "any", "a", "an", "of", "plain", "to", "from", "port", "ports", "for", "all", "via",
    "by", "using", "use", "used", "over", "on", "with", "in", "going", "coming", "either", "host",
];

/// What joins things that share a negation.
const JOINTS: &[&str] = &["and", "or", "nor"];

/// Words looked back over at most.
const REACH: usize = 4;

/// Things joined to one negation at most (`not a, b or c`).
const JOINED: usize = 6;

/// Whether the words before `at` negate what stands there: `Some(true)` where only less of it is
/// wanted (`instead of`).
pub(crate) fn negation(all: &[&str], at: usize) -> Option<bool> {
    let mut at = at;
    for _ in 0..JOINED {
        match before(all, at) {
            Before::Negation(soft) => return Some(soft),
            // `except dns and ntp`: the second is as the first.
            Before::Joint(earlier) => at = earlier,
            Before::Nothing => return None,
        }
    }
    None
}

enum Before {
    Negation(bool),
    /// Something joined to the thing here stands there.
    Joint(usize),
    Nothing,
}

fn before(all: &[&str], at: usize) -> Before {
    let mut end = at;
    for _ in 0..REACH {
        for words in NEGATIONS {
            if end >= words.len() && all.get(end - words.len()..end) == Some(words) {
                return Before::Negation(matches!(words.first(), Some(&"instead" | &"rather")));
            }
        }
        let Some(last) = end.checked_sub(1).and_then(|at| all.get(at)) else {
            return Before::Nothing;
        };
        if JOINTS.contains(last) {
            return end.checked_sub(2).map_or(Before::Nothing, Before::Joint);
        }
        if !FILLERS.contains(last) {
            return Before::Nothing;
        }
        end -= 1;
    }
    Before::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negation_reaches_over_articles_and_along_a_list_and_no_further() {
        let check = |text: &str, want: Option<bool>| {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(negation(&words, words.len() - 1), want, "{text}");
        };
        check("not dns", Some(false));
        check("everything except the dns", Some(false));
        check("except dns and ntp", Some(false));
        check("not dns or mdns or llmnr", Some(false));
        check("non dns", Some(false));
        check("with no answer", Some(false));
        check("rather than telnet", Some(true));
        check("hosts that don't use dns", Some(false));
        check("dns and ntp", None);
        check("not slow but dns", None);
        check("dns", None);
        check("and dns", None);
    }
}
