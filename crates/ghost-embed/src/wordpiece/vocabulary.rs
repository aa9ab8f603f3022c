//! The vocabulary: tokens to ids, by an open table over one text.

/// 30,522 tokens in the order of their ids.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    text: &'static str,
    /// Where each token begins in `text`, and its length, without `##`.
    places: Vec<(u32, u16, bool)>,
    /// Open addressing by hash; id + 1, 0 is empty.
    slots: Box<[u32]>,
    /// Bytes of the longest token.
    longest: usize,
}

/// More than twice the tokens, so that probes stay short.
const SLOTS: usize = 1 << 17;

pub(super) const SEED_WHOLE: u64 = 0xcbf2_9ce4_8422_2325;
const SEED_PIECE: u64 = 0x84222325_cbf29ce4;

#[inline]
pub(super) fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

#[inline]
fn slot(hash: u64) -> usize {
    ((hash ^ (hash >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 47) as usize % SLOTS
}

impl Vocabulary {
    /// One token a line, the line number its id.
    pub(super) fn parse(text: &'static str) -> Vocabulary {
        let mut vocabulary = Vocabulary {
            text,
            places: Vec::new(),
            slots: vec![0; SLOTS].into_boxed_slice(),
            longest: 1,
        };
        let mut at = 0_usize;
        for line in text.split('\n') {
            let token = line.trim_end_matches('\r');
            if !token.is_empty() {
                let (body, piece) = match token.strip_prefix("##") {
                    Some(body) if !body.is_empty() => (body, true),
                    _ => (token, false),
                };
                vocabulary.longest = vocabulary.longest.max(body.len());
                let begin = at + if piece { 2 } else { 0 };
                vocabulary.insert(begin, body.len(), piece);
            }
            at += line.len() + 1;
        }
        vocabulary
    }

    fn insert(&mut self, begin: usize, len: usize, piece: bool) {
        let id = self.places.len();
        let (Ok(begin32), Ok(len16)) = (u32::try_from(begin), u16::try_from(len)) else { return };
        self.places.push((begin32, len16, piece));
        let seed = if piece { SEED_PIECE } else { SEED_WHOLE };
        let body = &self.text.as_bytes()[begin..begin + len];
        let mut at = slot(body.iter().fold(seed, |h, b| step(h, *b)));
        while self.slots[at] != 0 {
            at = (at + 1) % SLOTS;
        }
        self.slots[at] = u32::try_from(id + 1).unwrap_or(0);
    }

    /// Tokens in all.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The token of that id as the vocabulary spells it, `##` left out, and whether it continues
    /// a word.
    pub(crate) fn token(&self, id: u32) -> Option<(&'static str, bool)> {
        let (begin, len, piece) = *self.places.get(id as usize)?;
        let begin = begin as usize;
        Some((self.text.get(begin..begin + usize::from(len))?, piece))
    }

    #[inline]
    fn find(&self, hash: u64, body: &[u8], piece: bool) -> Option<u32> {
        let mut at = slot(hash);
        loop {
            let id = self.slots[at].checked_sub(1)?;
            let (begin, len, is_piece) = self.places[id as usize];
            let begin = begin as usize;
            if is_piece == piece
                && usize::from(len) == body.len()
                && &self.text.as_bytes()[begin..begin + body.len()] == body
            {
                return Some(id);
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// The id of a whole word, whose hash is `hash`.
    #[inline]
    pub(super) fn whole(&self, word: &[u8], hash: u64) -> Option<u32> {
        self.find(hash, word, false)
    }

    /// Cuts `word` into the longest pieces; false where some part of it cannot be spelt.
    pub(super) fn pieces(&self, word: &[u8], out: &mut Vec<u32>) -> bool {
        out.clear();
        let mut begin = 0;
        while begin < word.len() {
            let piece = begin > 0;
            let mut hash = if piece { SEED_PIECE } else { SEED_WHOLE };
            let mut best = None;
            for (n, byte) in word[begin..].iter().take(self.longest).enumerate() {
                hash = step(hash, *byte);
                let end = begin + n + 1;
                // Only where a character ends.
                if word.get(end).is_none_or(|next| next & 0xC0 != 0x80)
                    && let Some(id) = self.find(hash, &word[begin..end], piece)
                {
                    best = Some((id, end));
                }
            }
            let Some((id, end)) = best else { return false };
            out.push(id);
            begin = end;
        }
        true
    }
}
