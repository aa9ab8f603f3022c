//! JSON values out of a stream in which they follow each other without separators.

/// Finds the end of each value; holds what has not ended yet.
#[derive(Debug)]
pub(super) struct Splitter {
    held: Vec<u8>,
    /// Bytes of `held` that were looked at.
    seen: usize,
    depth: u32,
    in_string: bool,
    escaped: bool,
    limit: usize,
}

/// The stream can't be followed: no object begins where one should, or it never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

impl Splitter {
    /// No message may be longer than `limit`.
    pub(super) fn new(limit: usize) -> Splitter {
        Splitter { held: Vec::new(), seen: 0, depth: 0, in_string: false, escaped: false, limit }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole object, if it has come.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        while let Some(byte) = self.held.get(self.seen).copied() {
            if self.depth == 0 && !matches!(byte, b'{' | b' ' | b'\t' | b'\r' | b'\n') {
                return Err(Broken);
            }
            self.seen += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        let rest = self.held.split_off(self.seen);
                        self.seen = 0;
                        return Ok(Some(std::mem::replace(&mut self.held, rest)));
                    }
                }
                _ => {}
            }
        }
        if self.held.len() > self.limit { Err(Broken) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn values_are_found_however_the_stream_is_cut() {
        bolero::check!().with_type::<(Vec<String>, u8)>().for_each(|(texts, cut)| {
            let values: Vec<Value> =
                texts.iter().map(|text| serde_json::json!({ text.as_str(): [text, {}] })).collect();
            let stream: Vec<u8> = values.iter().flat_map(|v| v.to_string().into_bytes()).collect();
            let mut splitter = Splitter::new(1 << 20);
            let mut found = Vec::new();
            for part in stream.chunks(usize::from(*cut).max(1)) {
                splitter.push(part);
                while let Some(value) = splitter.next().unwrap() {
                    found.push(serde_json::from_slice::<Value>(&value).unwrap());
                }
            }
            assert_eq!(found, values);
        });
    }

    #[test]
    fn a_stream_of_anything_else_is_broken_and_never_piles_up() {
        let mut splitter = Splitter::new(1000);
        splitter.push(b"HTTP/1.1 400");
        assert_eq!(splitter.next(), Err(Broken));
        let mut splitter = Splitter::new(1000);
        splitter.push(b"{\"a\":[");
        assert_eq!(splitter.next(), Ok(None));
        splitter.push(&[b'['; 1000]);
        assert_eq!(splitter.next(), Err(Broken));
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let mut splitter = Splitter::new(100);
            splitter.push(bytes);
            while let Ok(Some(_)) = splitter.next() {}
        });
    }
}
