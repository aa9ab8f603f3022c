//! What the lexicon knows of the words, as preferences; then words that may be parts of names.

use crate::concepts::{self, Said};
use crate::filter::{Key, Mode, Part};
use crate::lexicon::{APP_ALIASES, STOP_WORDS};
use crate::limits;
use crate::negation::negation;
use crate::understand::Reader;

/// What an application gains among those of its kind when its own name was said.
const NAMED_WEIGHT: f32 = 0.4;

/// What is left of an application's weight where another is told to be the means: of `web traffic
/// over quic` the web counts half.
const BESIDE_MEANS: f32 = 0.5;

/// What applications of one kind weigh where some were named `and the like`.
const LIKE_WEIGHT: f32 = 0.5;

/// Words before the means by which something was done.
const MEANS: &[&str] = &["over", "by", "via", "through", "using", "with", "on", "in", "inside"];

/// Sayings behind a list that is not complete.
const AND_SO_ON: &[&[&str]] = &[
    &["and", "the", "like"],
    &["and", "such"],
    &["and", "so", "on"],
    &["or", "similar"],
    &["and", "similar"],
    &["or", "something", "like"],
    &["or", "the", "like"],
    &["and", "others"],
    &["or", "others"],
    &["and", "co"],
    &["etc"],
];

/// Applications named at once, for one of them to be the means.
const MEANS_APPS_MAX: usize = 3;

/// Words that may be parts of names.
const NAME_WORDS_MAX: usize = 8;

impl Reader<'_> {
    pub(crate) fn lexical(&mut self, words: &[String]) {
        // `self-signed` is two words here; what was taken literally stays whole.
        let mut pieces: Vec<String> = Vec::with_capacity(words.len());
        let mut of: Vec<usize> = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            let whole = self.taken.get(at) == Some(&true);
            for piece in word.split(|c: char| !whole && matches!(c, '-' | '/' | '_' | '–')) {
                pieces.push(piece.to_owned());
                of.push(at);
            }
        }
        let all: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let mut taken: Vec<bool> = of.iter().map(|at| self.taken.get(*at) == Some(&true)).collect();
        let sayings = concepts::said(&pieces, &mut taken);
        let means = self.means(&all, &sayings);
        for said in &sayings {
            let turned = said.at.and_then(|(at, _)| negation(&all, at));
            if let (None, Some((at, 1))) = (turned, said.at)
                && let Some(word) = all.get(at)
                && let Some(part) = called_by_name(word, said.want)
                && self.out.aggregate.is_none()
            {
                self.prefer(part);
            }
            match (turned, self.out.aggregate.is_some()) {
                (None, true) => self.demand(said.want),
                (None, false) => {
                    for part in said.want {
                        let mut part = part.clone();
                        if part.filter.key == Key::App
                            && part.mode == Mode::Prefer
                            && means.as_ref().is_some_and(|m| !shares(m, &part))
                        {
                            part.weight *= BESIDE_MEANS;
                        }
                        self.prefer(part);
                    }
                }
                (Some(soft), _) => self.refuse(said.want, soft),
            }
            if let (Some(_), Some((at, len))) = (turned, said.at) {
                for at in of.iter().skip(at).take(len) {
                    if let Some(taken) = self.taken.get_mut(*at) {
                        *taken = true;
                    }
                }
            }
        }
        let likewise = AND_SO_ON.iter().any(|say| all.windows(say.len()).any(|w| w == *say));
        if likewise && self.out.aggregate.is_none() {
            self.kin();
        }
        if self.out.aggregate.is_some() {
            let known = pieces.iter().zip(&taken).zip(&of);
            let left = known.filter(|((word, taken), of)| {
                !**taken
                    && self.taken.get(**of) != Some(&true)
                    && word.chars().any(char::is_alphanumeric)
                    && !STOP_WORDS.contains(&word.as_str())
            });
            self.out.ignored = left.map(|((word, _), _)| word.clone()).collect();
            return;
        }
        let mut named = 0;
        for (word, taken) in pieces.iter().zip(&taken) {
            if *taken {
                continue;
            }
            for piece in word.split(|c: char| !c.is_alphanumeric()) {
                let letters = piece.chars().filter(|c| c.is_alphabetic()).count();
                if letters >= 3 && named < NAME_WORDS_MAX && !STOP_WORDS.contains(&piece) {
                    named += 1;
                    self.prefer(Part::of(Mode::Prefer, Key::Word, [piece.to_owned()]));
                }
            }
        }
    }

    /// The applications by which the rest is done: `file sharing with torrents`, `web over quic`.
    fn means(&self, all: &[&str], sayings: &[Said]) -> Option<Vec<String>> {
        sayings.iter().find_map(|said| {
            let (at, _) = said.at?;
            let from = at.saturating_sub(2);
            let before = all.get(from..at)?;
            let behind = before.iter().any(|word| MEANS.contains(word)) && at > 1;
            let of = |p: &&Part| {
                p.filter.key == Key::App
                    && p.mode == Mode::Prefer
                    && p.weight >= 1.0
                    && p.filter.values.len() <= MEANS_APPS_MAX
                    // It carries everything.
                    && !p.filter.values.iter().any(|app| app == "tls")
            };
            let apps = said.want.iter().find(of).filter(|_| behind)?;
            Some(apps.filter.values.clone())
        })
    }

    /// Who counts means it to the letter: of one saying the weightiest becomes a condition.
    fn demand(&mut self, want: &[Part]) {
        let rank = |key: &Key| match key {
            Key::Behaviour => 0,
            Key::App => 1,
            Key::Brand => 2,
            Key::Category => 3,
            _ => 4,
        };
        let wanted = want.iter().filter(|p| p.mode == Mode::Prefer);
        let best = wanted
            .clone()
            .min_by(|a, b| {
                let full = |p: &Part| p.weight < 1.0;
                let by_weight = b.weight.total_cmp(&a.weight);
                full(a)
                    .cmp(&full(b))
                    .then(rank(&a.filter.key).cmp(&rank(&b.filter.key)))
                    .then(by_weight)
            })
            .cloned();
        if let Some(best) = best {
            let mut values: Vec<String> = Vec::new();
            let same =
                |p: &&Part| p.filter.key == best.filter.key && p.weight >= best.weight.min(1.0);
            for value in wanted.filter(same).flat_map(|p| &p.filter.values) {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
            let part = Part::of(Mode::Must, best.filter.key, values);
            if !self.out.parts.contains(&part) {
                self.out.parts.push(part);
            }
        }
        for part in want.iter().filter(|p| p.mode == Mode::Avoid && p.weight >= 1.0) {
            let values = part.filter.values.clone();
            self.prefer(Part::of(Mode::MustNot, part.filter.key.clone(), values));
        }
    }

    /// Of what is excluded only its own applications and behaviours are.
    fn refuse(&mut self, want: &[Part], soft: bool) {
        for part in want {
            let own = part.weight >= 1.0 || part.filter.key != Key::App;
            if part.mode != Mode::Prefer || !own {
                continue;
            }
            let mut part = part.clone();
            if soft {
                part.mode = Mode::Avoid;
            } else {
                part = Part::of(Mode::MustNot, part.filter.key, part.filter.values);
            }
            self.prefer(part);
        }
    }

    /// Applications of the kinds of those that were named.
    fn kin(&mut self) {
        let named: Vec<String> =
            self.out.on(&Key::App).flat_map(|filter| filter.values.iter().cloned()).collect();
        for part in concepts::kin(&named) {
            let mut part = part.clone();
            part.weight = LIKE_WEIGHT.min(part.weight);
            self.prefer(part);
        }
    }

    pub(crate) fn prefer(&mut self, part: Part) {
        let same = |p: &&mut Part| p.mode == part.mode && p.filter == part.filter;
        if let Some(known) = self.out.parts.iter_mut().find(same) {
            known.weight = known.weight.max(part.weight);
            return;
        }
        if self.out.parts.len() < limits::PREFERENCES_MAX {
            self.out.parts.push(part);
        }
    }
}

fn shares(apps: &[String], part: &Part) -> bool {
    part.filter.values.iter().any(|value| apps.contains(value))
}

/// `word` as the application of that name, where it is one of several that are wanted.
fn called_by_name(word: &str, want: &[Part]) -> Option<Part> {
    let alias = APP_ALIASES.iter().find(|(name, _)| *name == word).map_or(word, |(_, of)| of);
    let several = |p: &&Part| p.filter.key == Key::App && p.filter.values.len() > 1;
    want.iter().filter(several).find(|p| p.filter.values.iter().any(|v| v == alias)).map(|_| {
        let mut part = Part::of(Mode::Prefer, Key::App, [alias.to_owned()]);
        part.weight = NAMED_WEIGHT;
        part
    })
}
