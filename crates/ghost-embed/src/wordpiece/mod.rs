//! WordPiece by hand: text to the token ids that the model was trained on.
//!
//! Equal to the reference tokenizer of all-MiniLM-L6-v2 (BERT, uncased): control characters go,
//! accents go, letters become small, CJK ideographs and punctuation stand alone, and each word is
//! cut into the longest pieces of the vocabulary, or is `[UNK]` as a whole. `tests/wordpiece.jsonl`
//! holds texts with the reference's answers. Any input is fine; nothing here can panic.

mod fold;
mod vocabulary;

use std::sync::OnceLock;

use fold::{Fold, Folded};
pub(crate) use vocabulary::Vocabulary;

use crate::limits::WORD_CHARS_MAX;

/// Begins a text for the model.
pub(crate) const CLS: u32 = 101;
/// Ends a text for the model.
pub(crate) const SEP: u32 = 102;
/// A word that the vocabulary cannot spell.
pub(crate) const UNK: u32 = 100;

/// The tokenizer; its tables are in the program.
#[derive(Debug)]
pub struct WordPiece {
    vocabulary: Vocabulary,
    fold: Fold,
}

impl WordPiece {
    /// The tokenizer of all-MiniLM-L6-v2; its tables are made at the first call.
    #[must_use]
    pub fn embedded() -> &'static WordPiece {
        static TOKENIZER: OnceLock<WordPiece> = OnceLock::new();
        TOKENIZER.get_or_init(|| WordPiece {
            vocabulary: Vocabulary::parse(include_str!("../../data/vocab.txt")),
            fold: Fold::parse(include_str!("../../data/fold.txt")),
        })
    }

    /// The tokens of the vocabulary, by id.
    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Token ids of `text`, without the two that mark begin and end.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 4);
        self.each(text, &mut |id| ids.push(id));
        ids
    }

    /// Token ids as the model reads them: begin, at most `tokens_max - 2` tokens, end.
    #[must_use]
    pub fn encode_for_model(&self, text: &str, tokens_max: usize) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 4);
        ids.push(CLS);
        let room = tokens_max.saturating_sub(1).max(1);
        self.each(text, &mut |id| {
            if ids.len() < room {
                ids.push(id);
            }
        });
        ids.push(SEP);
        ids
    }

    /// Calls `take` with each token id of `text`; allocates nothing for ASCII words of ordinary
    /// length.
    #[inline]
    pub(crate) fn each(&self, text: &str, take: &mut impl FnMut(u32)) {
        let mut word = Word::new();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if byte < 128 {
                at += 1;
                match ASCII[usize::from(byte)] {
                    SPACE => self.flush(&mut word, take),
                    ALONE => {
                        self.flush(&mut word, take);
                        word.push_ascii(byte);
                        self.flush(&mut word, take);
                    }
                    GONE => {}
                    small => word.push_ascii(small),
                }
                continue;
            }
            let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
            at += c.len_utf8();
            match self.fold.fold(c) {
                Folded::Gone => {}
                Folded::Space => self.flush(&mut word, take),
                Folded::Alone => {
                    self.flush(&mut word, take);
                    word.push(c);
                    self.flush(&mut word, take);
                }
                Folded::Is(small) => word.push(small),
                Folded::Many(chars) => {
                    for c in chars {
                        // What a character decomposes to may itself stand alone.
                        match c {
                            ' ' => self.flush(&mut word, take),
                            c if self.fold.stands_alone(*c) => {
                                self.flush(&mut word, take);
                                word.push(*c);
                                self.flush(&mut word, take);
                            }
                            c => word.push(*c),
                        }
                    }
                }
                Folded::Lower => c.to_lowercase().for_each(|c| word.push(c)),
            }
        }
        self.flush(&mut word, take);
    }

    /// Cuts the word into pieces and empties it.
    #[inline]
    fn flush(&self, word: &mut Word, take: &mut impl FnMut(u32)) {
        if word.chars == 0 {
            return;
        }
        let bytes = word.bytes.get(..word.len).unwrap_or(&[]);
        if word.chars > WORD_CHARS_MAX {
            take(UNK);
        } else if let Some(id) = self.vocabulary.whole(bytes, word.hash) {
            take(id);
        } else {
            match self.vocabulary.pieces(bytes, &mut word.pieces) {
                true => word.pieces.iter().for_each(|id| take(*id)),
                false => take(UNK),
            }
        }
        (word.len, word.chars, word.hash) = (0, 0, vocabulary::SEED_WHOLE);
    }
}

/// The word under way, folded, and its hash so far.
struct Word {
    bytes: [u8; 4 * WORD_CHARS_MAX],
    len: usize,
    chars: usize,
    hash: u64,
    pieces: Vec<u32>,
}

impl Word {
    fn new() -> Word {
        Word {
            bytes: [0; 4 * WORD_CHARS_MAX],
            len: 0,
            chars: 0,
            hash: vocabulary::SEED_WHOLE,
            pieces: Vec::new(),
        }
    }

    /// Adds a byte of a character; what finds no room is of a word that is too long anyway.
    #[inline]
    fn put(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
            self.hash = vocabulary::step(self.hash, byte);
        }
    }

    #[inline]
    fn push_ascii(&mut self, byte: u8) {
        self.chars += 1;
        self.put(byte);
    }

    fn push(&mut self, c: char) {
        self.chars += 1;
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer).bytes().for_each(|byte| self.put(byte));
    }
}

const SPACE: u8 = 1;
const ALONE: u8 = 2;
const GONE: u8 = 3;

/// What each ASCII byte is: space, punctuation, nothing, or its small letter.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut n = 0;
    while n < 128 {
        let byte = n as u8;
        table[n] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            b'!'..=b'/' | b':'..=b'@' | b'['..=b'`' | b'{'..=b'~' => ALONE,
            b'0'..=b'9' | b'a'..=b'z' => byte,
            b'A'..=b'Z' => byte + 32,
            _ => GONE,
        };
        n += 1;
    }
    table
};
