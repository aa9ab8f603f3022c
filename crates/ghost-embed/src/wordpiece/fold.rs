//! What BERT's normaliser does to each character beyond ASCII, by table.
//!
//! `data/fold.txt` is derived from the reference's behaviour on every code point: `d` ranges are
//! dropped (marks, controls), `s` are spaces, `p` punctuation and `c` ideographs stand alone, and
//! `m` maps a character to what is left of its decomposition in small letters. Hangul syllables
//! decompose by rule; all else is lower-cased.

/// What becomes of one character.
pub(super) enum Folded<'a> {
    Gone,
    Space,
    /// A word of its own.
    Alone,
    Is(char),
    Many(&'a [char]),
    /// Its lower case by the standard's tables.
    Lower,
}

#[derive(Debug)]
pub(super) struct Fold {
    ranges: Vec<(u32, u32, Kind)>,
    maps: Vec<(u32, Box<[char]>)>,
    /// Lower-case decompositions of Hangul syllables are made on the fly into these.
    hangul: Vec<[char; 3]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gone,
    Space,
    Alone,
}

const HANGUL: std::ops::Range<u32> = 0xAC00..0xD7A4;

impl Fold {
    /// Reads the table; a line that says nothing is skipped (the shipped table is tested).
    pub(super) fn parse(table: &str) -> Fold {
        let mut fold = Fold { ranges: Vec::new(), maps: Vec::new(), hangul: Vec::new() };
        for line in table.lines() {
            let mut words = line.split(' ');
            let kind = words.next().unwrap_or("");
            let mut numbers = words.filter_map(|w| u32::from_str_radix(w, 16).ok());
            let Some(first) = numbers.next() else { continue };
            let range = match kind {
                "d" => Kind::Gone,
                "s" => Kind::Space,
                "p" | "c" => Kind::Alone,
                _ => {
                    fold.maps.push((first, numbers.filter_map(char::from_u32).collect()));
                    continue;
                }
            };
            fold.ranges.push((first, numbers.next().unwrap_or(first), range));
        }
        fold.ranges.sort_unstable_by_key(|(first, ..)| *first);
        fold.maps.sort_unstable_by_key(|(c, _)| *c);
        fold.hangul = HANGUL.map(jamo).collect();
        fold
    }

    /// What becomes of `c`, which is not ASCII.
    pub(super) fn fold(&self, c: char) -> Folded<'_> {
        let code = u32::from(c);
        if HANGUL.contains(&code) {
            let Some(jamo) = self.hangul.get((code - HANGUL.start) as usize) else {
                return Folded::Lower;
            };
            return Folded::Many(if jamo[2] == NONE { &jamo[..2] } else { jamo });
        }
        if let Ok(at) = self.maps.binary_search_by_key(&code, |(c, _)| *c) {
            return match &*self.maps[at].1 {
                [one] if !self.stands_alone(*one) => Folded::Is(*one),
                many => Folded::Many(many),
            };
        }
        match self.kind(code) {
            Some(Kind::Gone) => Folded::Gone,
            Some(Kind::Space) => Folded::Space,
            Some(Kind::Alone) => Folded::Alone,
            None => Folded::Lower,
        }
    }

    /// Whether `c` is punctuation or an ideograph.
    pub(super) fn stands_alone(&self, c: char) -> bool {
        c.is_ascii_punctuation() || self.kind(u32::from(c)) == Some(Kind::Alone)
    }

    fn kind(&self, code: u32) -> Option<Kind> {
        let at = self.ranges.partition_point(|(first, ..)| *first <= code);
        let (_, last, kind) = self.ranges.get(at.checked_sub(1)?)?;
        (code <= *last).then_some(*kind)
    }
}

const NONE: char = '\0';

/// The two or three jamo of a Hangul syllable.
fn jamo(code: u32) -> [char; 3] {
    let s = code - HANGUL.start;
    let at = |base: u32, n: u32| char::from_u32(base + n).unwrap_or(NONE);
    let tail = s % 28;
    [at(0x1100, s / 588), at(0x1161, s % 588 / 28), if tail == 0 { NONE } else { at(0x11A7, tail) }]
}
