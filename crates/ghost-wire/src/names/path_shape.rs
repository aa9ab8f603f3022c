//! The shape of a request's path: its words kept, what varies from request to request replaced.
//!
//! Promises: bounded length, no control characters of ASCII, no query string, no allocation. Not promised: that two
//! programs never share a shape, or that every identifier is known for one.

use super::limits::{PATH_SEGMENTS_MAX, PATH_SHAPE_OCTETS_MAX};

/// The shape of a path: what varies is replaced, so that one program's requests look alike.
pub(super) struct PathShape {
    text: [u8; PATH_SHAPE_OCTETS_MAX],
    len: usize,
}

impl PathShape {
    pub(super) fn new() -> PathShape {
        PathShape { text: [0; PATH_SHAPE_OCTETS_MAX], len: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.text.get_mut(self.len..).unwrap_or(&mut []);
        let fits = bytes.len().min(room.len());
        room[..fits].copy_from_slice(&bytes[..fits]);
        self.len += fits;
    }

    /// `/user/17/a3f9c2d1e5b7.jpg?x=1` is `/user/{n}/{h}.jpg`.
    pub(super) fn of(&mut self, target: &[u8]) -> &[u8] {
        self.len = 0;
        let mut path = target;
        if let Some(after) = memchr::memmem::find(target.get(..10).unwrap_or(target), b"://") {
            let rest = target.get(after + 3..).unwrap_or(&[]);
            path = memchr::memchr(b'/', rest).map_or(b"/", |slash| &rest[slash..]);
        }
        let end = path.iter().position(|b| matches!(b, b'?' | b'#' | b';')).unwrap_or(path.len());
        let path = path.get(..end).unwrap_or(path);
        for (nth, segment) in path.split(|&b| b == b'/').enumerate() {
            if nth > 0 {
                self.push(b"/");
            }
            if nth > PATH_SEGMENTS_MAX {
                self.push(b"...");
                break;
            }
            self.segment(segment);
        }
        if self.len == 0 {
            self.push(b"/");
        }
        self.text.get(..self.len).unwrap_or(&[])
    }

    fn segment(&mut self, segment: &[u8]) {
        if is_uuid(segment) {
            return self.push(b"{id}");
        }
        if segment.len() >= 24 && segment.iter().any(u8::is_ascii_digit) && !segment.contains(&b'.')
        {
            return self.push(b"{id}");
        }
        let mut start = 0;
        for at in 0..=segment.len() {
            let parted = segment
                .get(at)
                .is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'%' && *b < 0x80);
            if parted {
                self.token(segment.get(start..at).unwrap_or(&[]));
                if let Some(&part) = segment.get(at) {
                    self.push(&[if part.is_ascii_graphic() || part == b' ' { part } else { b'_' }]);
                }
                start = at + 1;
            }
        }
    }

    fn token(&mut self, token: &[u8]) {
        let digits = token.iter().filter(|b| b.is_ascii_digit()).count();
        let hex = token.iter().all(u8::is_ascii_hexdigit);
        if token.is_empty() {
        } else if digits == token.len() {
            self.push(b"{n}");
        } else if hex && token.len() >= 8 && digits > 0 {
            self.push(b"{h}");
        } else if (token.len() >= 16 && digits >= 2) || token.len() > 40 {
            self.push(b"{id}");
        } else {
            self.push(token);
        }
    }
}

fn is_uuid(segment: &[u8]) -> bool {
    segment.len() == 36
        && segment.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_words_and_loses_what_varies() {
        let check = |target: &str, shape: &str| {
            assert_eq!(String::from_utf8_lossy(PathShape::new().of(target.as_bytes())), shape);
        };
        check("/user/17/photo.jpg", "/user/{n}/photo.jpg");
        check("/a3f9c2d1e5b7.png?x=/1", "/{h}.png");
        check("/v2/123e4567-e89b-12d3-a456-426614174000/x", "/v2/{id}/x");
        check("http://a.example/x/2024-11-03", "/x/{n}-{n}-{n}");
        check("http://a.example", "/");
        check("*", "*");
        check("", "/");
        check("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/...");
        check("/dGhpcyBpcyBhIHRva2VuMTIz", "/{id}");
        check("/\u{1b}[2J", "/_[2J");
    }

    #[test]
    fn any_octets_become_text_without_controls_within_the_limit() {
        bolero::check!().with_iterations(4000).for_each(|bytes: &[u8]| {
            let mut shape = PathShape::new();
            let text = shape.of(bytes);
            assert!(text.len() <= PATH_SHAPE_OCTETS_MAX && !text.is_empty());
            assert!(text.iter().all(|b| !b.is_ascii_control()), "{text:?}");
        });
    }
}
