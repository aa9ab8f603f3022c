//! Events about elements, each continuing its element's chain.

use ghost_event::line::{self, TAIL_BYTES_MAX};
use ghost_event::{Digest, Priority, ShapeId};

use super::{Appended, Log, check_body};
use crate::elements::{Element, ElementHead};
use crate::error::LogError;
use crate::limits::{ELEMENT_ID_BYTES_MAX, ELEMENT_KIND_BYTES_MAX};

/// The longest note that states a head: every byte of its texts escaped, and what is around them.
const HEAD_BYTES_MAX: usize = 6 * (ELEMENT_ID_BYTES_MAX + ELEMENT_KIND_BYTES_MAX) + 512;

impl Log {
    /// Takes in an event about an element, whose chain it continues: `body` gets the element's part
    /// of `ghost`. Otherwise as [`append`](Self::append).
    pub fn append_element(
        &mut self,
        prio: Priority,
        shape: Option<ShapeId>,
        element: &Element<'_>,
        body: &[u8],
    ) -> Result<Appended, LogError> {
        self.usable()?;
        let (height, prev) = match self.elements.get(element) {
            Ok(None) => (1, Digest::ZERO),
            Ok(Some(known)) => (known.head.height + 1, known.head.leaf),
            Err(e) => {
                self.elements_turned_away += 1;
                return Err(e);
            }
        };
        let mut whole = Vec::with_capacity(body.len() + HEAD_BYTES_MAX);
        whole.extend_from_slice(body);
        line::element_part(&mut whole, element.id, element.kind, height, &prev);
        check_body(&whole)?;
        let stated = self.shape_bytes(shape)? + HEAD_BYTES_MAX + TAIL_BYTES_MAX;
        self.make_room(stated + whole.len() + TAIL_BYTES_MAX)?;
        self.state_element(element.id);
        if let Some(id) = shape {
            self.state_shape(id);
        }
        let appended = self.put_event(prio, &whole)?;
        let head = ElementHead {
            kind: element.kind.to_owned(),
            height,
            seq: appended.seq,
            leaf: self.chain.head.leaf,
        };
        self.elements.take(element.id, head, self.chain.segment);
        Ok(appended)
    }

    /// States an element's head where this segment has not. Room must have been made.
    pub(super) fn state_element(&mut self, id: &str) {
        let segment = self.chain.segment;
        let Some(note) =
            self.elements.known(id).filter(|k| k.stated_in != segment).map(|known| known.note(id))
        else {
            return;
        };
        self.put_note(&note);
        self.element_stated = self.chain.head.seq;
        self.elements.stated(id, segment);
    }

    /// States the heads again that only lines before `first` tell. True where one of them waits for
    /// its sync, of this try or an earlier one.
    pub(super) fn state_elements_before(&mut self, first: u64) -> Result<bool, LogError> {
        for id in self.elements.only_before(first) {
            self.make_room(HEAD_BYTES_MAX + TAIL_BYTES_MAX)?;
            self.state_element(&id);
        }
        Ok(self.element_stated > self.durable.seq)
    }

    /// Every element with the newest line of its chain.
    pub fn elements(&self) -> impl Iterator<Item = (&str, &ElementHead)> {
        self.elements.iter()
    }

    /// Events that were turned away since the start because their element found no room.
    #[must_use]
    pub fn elements_turned_away(&self) -> u64 {
        self.elements_turned_away
    }
}
