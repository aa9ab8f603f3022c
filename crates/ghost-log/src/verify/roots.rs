//! The tree over the lines as they are read: its roots against claims, its rows against tiles.
//!
//! Costs one node hash a line, and a signature check a checkpoint.

use std::collections::BTreeSet;
use std::sync::Arc;

use ghost_event::line::Note;
use ghost_event::{Digest, Seq, Timestamp};
use ghost_world::Disk;

use super::claims::{self, Claim, Claims};
use super::finding::{Claimant, FINDINGS_MAX, Finding};
use super::keys::{self, Keys, Signer};
use super::verdict::{Signed, Verdict, Witnessed};
use super::{Against, VerifyOptions};
use crate::error::LogError;
use crate::layout::Layout;
use crate::proof::checkpoint::{SignedCheckpoint, Signing};
use crate::proof::key::VerifyingKey;
use crate::proof::tile::{self, TileAt};
use crate::proof::{self, Tree};
use crate::tree_reader::TreeReader;

/// `{"timestamp":"` and the time behind it.
const STAMP: std::ops::Range<usize> = 14..45;
const STAMP_KEY: &[u8] = b"{\"timestamp\":\"";

/// What is checked of the tree while the lines are read.
pub(super) struct Roots<'a> {
    disk: &'a Arc<dyn Disk>,
    layout: &'a Layout,
    /// `None` where the hashes of retired lines are not there.
    tree: Option<Tree>,
    /// Why not, and from which line on.
    gone: Option<(Seq, String)>,
    claims: Claims,
    /// The size at which the next claim is due.
    due: u64,
    keys: Keys,
    given: Option<SignedCheckpoint>,
    witnesses: &'a [VerifyingKey],
    /// Of each level of tiles from 1, the hashes of the tile that is being filled.
    rows: Vec<Row>,
    stamp: [u8; STAMP.end - STAMP.start],
    /// To this line the log is the one that was claimed.
    same_to: u64,
    /// The largest checkpoint of the log's own that holds, and its signer.
    signed: Option<(u64, usize, Option<Timestamp>)>,
    /// The given checkpoint holds, and from when its last line is.
    given_holds: Option<Option<Timestamp>>,
    rewritten: BTreeSet<u8>,
    checkpoints: u64,
    signers_unknown: u64,
    tiles: u64,
    whole: bool,
    /// Somebody says which lines there were.
    claimed: bool,
    findings: Vec<Finding>,
    left_out: u64,
}

/// The hashes of one tile, as far as the lines gave them.
#[derive(Debug, Default)]
struct Row {
    /// The first hash, counted from the beginning of the level.
    from: u64,
    hashes: Vec<Digest>,
}

impl<'a> Roots<'a> {
    pub(super) fn open(
        disk: &'a Arc<dyn Disk>,
        layout: &'a Layout,
        options: &'a VerifyOptions,
    ) -> Result<Roots<'a>, LogError> {
        let given = match &options.against {
            Some(Against::Checkpoint(signed)) => Some((**signed).clone()),
            Some(Against::Head(_)) | None => None,
        };
        let log = layout.log();
        let mut claims =
            Claims::open(disk, layout, given.clone()).map_err(LogError::io("read", &log))?;
        let findings = std::mem::take(&mut claims.found);
        let due = claims.due();
        let claimed = !claims.is_empty();
        Ok(Roots {
            disk,
            layout,
            tree: Some(Tree::new()),
            gone: None,
            claims,
            due,
            keys: Keys::new(&options.keys),
            given,
            witnesses: &options.witnesses,
            rows: Vec::new(),
            stamp: [0; STAMP.end - STAMP.start],
            same_to: 0,
            signed: None,
            given_holds: None,
            rewritten: BTreeSet::new(),
            checkpoints: 0,
            signers_unknown: 0,
            tiles: 0,
            whole: true,
            claimed,
            findings,
            left_out: 0,
        })
    }

    /// Before the first line, which has this number; and before that of a later segment, where what
    /// is left of the tree begins there: a retirement renews it first, and removes the lines then.
    pub(super) fn begin(&mut self, first: Seq, log_id: &str) -> Result<(), LogError> {
        let size = first.saturating_sub(1);
        self.whole = size == 0;
        if size > 0
            && let Err(e) = self.take_up(size)
        {
            self.tree = None;
            self.gone.get_or_insert((first, e.to_string()));
            return Ok(());
        }
        self.gone = None;
        while let Some(claim) = self.next(size)? {
            if claim.size == size {
                self.settle(&claim, log_id);
            } else if claim.by == Claimant::Given {
                self.compare_old(&claim, first, log_id);
            }
        }
        self.due = self.claims.due();
        Ok(())
    }

    /// Whether the tree could not be taken up yet.
    pub(super) fn waits(&self) -> bool {
        self.tree.is_none()
    }

    /// The tree of lines that were retired, from what was kept of it.
    fn take_up(&mut self, size: u64) -> Result<(), LogError> {
        let mut reader = TreeReader::open(self.disk.clone(), self.layout.clone())?;
        self.tree = Some(proof::frontier(&mut reader, size)?);
        self.rows.clear();
        let mut hashes = size >> tile::HEIGHT;
        let mut level = 1_u8;
        while hashes > 0 {
            self.retired_tiles(level, hashes / tile::WIDTH);
            self.rows.push(Row { from: hashes, hashes: Vec::new() });
            hashes >>= tile::HEIGHT;
            level += 1;
        }
        Ok(())
    }

    /// Full tiles of lines that are gone: each against the hash of it on the level above.
    fn retired_tiles(&mut self, level: u8, count: u64) {
        for index in 0..count {
            let at = TileAt { level, index };
            let Some(bytes) = self.tile(at) else {
                self.find(Finding::TileMissing { at });
                continue;
            };
            let above = u32::from(level + 1) * tile::HEIGHT;
            let root = tile_root(&bytes);
            let told = self
                .tile(TileAt::of(above, index))
                .map(|parent| tile::node_in(&parent, above, index));
            match (root, told) {
                (None, _) => self.find(Finding::TileAltered { at }),
                (Some(root), Some(told)) if told != Some(root) => {
                    self.find(Finding::TileAltered { at });
                }
                // The row above is not full yet: the tree itself was taken up from this tile.
                _ => self.tiles += 1,
            }
        }
    }

    /// A given checkpoint that speaks of fewer lines than were retired.
    fn compare_old(&mut self, claim: &Claim, first: Seq, log_id: &str) {
        let reader = TreeReader::open(self.disk.clone(), self.layout.clone());
        match reader.and_then(|mut reader| proof::root(&mut reader, claim.size)) {
            Ok(root) => self.compare(claim, &root, log_id),
            Err(_) => {
                self.find(Finding::NotComparable { by: claim.by, size: claim.size, first });
            }
        }
    }

    /// A line that continues the one before.
    pub(super) fn line(&mut self, line: &[u8], leaf: Digest, log_id: &str) -> Result<(), LogError> {
        if line.starts_with(STAMP_KEY)
            && let Some(stamp) = line.get(STAMP)
        {
            self.stamp.copy_from_slice(stamp);
        }
        let Some(tree) = &mut self.tree else { return Ok(()) };
        let rows = &mut self.rows;
        let mut full = false;
        tree.push_with(leaf, |level, index, node| {
            if level % tile::HEIGHT == 0 {
                full |= row(rows, level).push(index, *node);
            }
        });
        let size = tree.size();
        if full {
            self.full_tiles(size);
        }
        if size >= self.due {
            while let Some(claim) = self.next(size)? {
                self.settle(&claim, log_id);
            }
            self.due = self.claims.due();
        }
        Ok(())
    }

    /// A line by which the log names a key.
    pub(super) fn note(&mut self, note: &Note<'_>, seq: Seq) {
        if let Note::Key(note) = note
            && let Some(finding) = self.keys.learn(note, seq, self.whole)
        {
            self.find(finding);
        }
    }

    /// Compares the tiles that the line completed with what the lines gave.
    fn full_tiles(&mut self, size: u64) {
        for level in 1.. {
            let Some(row) = self.rows.get_mut(usize::from(level) - 1) else { return };
            if !row.is_full() {
                continue;
            }
            let Row { from, hashes } = std::mem::take(row);
            row.from = from + hashes.len() as u64;
            let at = TileAt { level, index: from / tile::WIDTH };
            self.compare_tile(at, from, &hashes, size);
        }
    }

    fn compare_tile(&mut self, at: TileAt, from: u64, hashes: &[Digest], size: u64) {
        let skip = usize::try_from(from % tile::WIDTH).unwrap_or(0);
        match self.tile(at) {
            // Tiles are written before the checkpoint that needs them is signed.
            None if self.claims.newest.is_none_or(|newest| newest < size) => {}
            None => self.find(Finding::TileMissing { at }),
            Some(bytes) => {
                let told = bytes.as_chunks::<32>().0;
                let same = bytes.len() == tile::BYTES
                    && told.iter().skip(skip).zip(hashes).all(|(told, hash)| *told == hash.0);
                if same {
                    self.tiles += 1;
                } else {
                    self.find(Finding::TileAltered { at });
                }
            }
        }
    }

    fn tile(&self, at: TileAt) -> Option<Vec<u8>> {
        let path = self.layout.log().join(at.path());
        claims::read(self.disk, &path, tile::BYTES + 1).ok().flatten()
    }

    fn next(&mut self, size: u64) -> Result<Option<Claim>, LogError> {
        let next = self.claims.next(size);
        let found: Vec<Finding> = self.claims.found.drain(..).collect();
        found.into_iter().for_each(|finding| self.find(finding));
        next.map_err(LogError::io("read", &self.layout.log()))
    }

    /// A claim about exactly the lines so far.
    fn settle(&mut self, claim: &Claim, log_id: &str) {
        if let Some(tree) = &self.tree {
            let root = tree.root();
            self.compare(claim, &root, log_id);
        }
    }

    fn compare(&mut self, claim: &Claim, root: &Digest, log_id: &str) {
        let time = std::str::from_utf8(&self.stamp).ok().and_then(Timestamp::parse);
        let by = claim.by;
        let mut right = true;
        if let Some(signed) = &claim.signed {
            let origin = &signed.checkpoint.origin;
            if origin.rsplit('/').next() != Some(log_id) {
                self.find(Finding::OtherLog { by, origin: origin.clone() });
                return;
            }
            if by != Claimant::Given {
                right = self.signature(claim, signed, root, time);
            }
        }
        if claim.root == *root {
            self.same_to = self.same_to.max(claim.size);
            self.checkpoints += u64::from(right);
            if by == Claimant::Given {
                self.given_holds = Some(time);
            }
        } else if self.rewritten.insert(match by {
            // Of a rewritten log every later checkpoint is another one: the first tells it.
            Claimant::Seal(_) => 0,
            Claimant::Given => 1,
            Claimant::Newest => 2,
            Claimant::Manifest => 3,
        }) {
            self.find(Finding::Rewritten { by, after: self.same_to, size: claim.size });
        }
    }

    /// Checks who signed one of the log's own checkpoints; whether that is right.
    fn signature(
        &mut self,
        claim: &Claim,
        signed: &SignedCheckpoint,
        root: &Digest,
        time: Option<Timestamp>,
    ) -> bool {
        let by = claim.by;
        match self.keys.signer(signed) {
            Signer::Known(at) => {
                if claim.root == *root && self.signed.is_none_or(|(size, ..)| size <= claim.size) {
                    self.signed = Some((claim.size, at, time));
                }
                true
            }
            Signer::Wrong(key) => {
                self.find(Finding::WrongSignature { by, key });
                false
            }
            Signer::Unknown(key) if self.whole || self.keys.has_own() => {
                self.find(Finding::UnknownKey { by, key });
                false
            }
            Signer::Unknown(_) => {
                self.signers_unknown += 1;
                false
            }
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    /// The largest claim about more lines than there are.
    pub(super) fn beyond(
        &mut self,
        last: Seq,
        log_id: &str,
    ) -> Result<Option<(Claimant, u64)>, LogError> {
        let mut largest = None;
        while let Some(claim) = self.next(u64::MAX)? {
            let by = claim.by;
            let origin = claim.signed.map(|signed| signed.checkpoint.origin);
            match origin.filter(|origin| origin.rsplit('/').next() != Some(log_id)) {
                Some(origin) if !log_id.is_empty() => self.find(Finding::OtherLog { by, origin }),
                _ if claim.size > last => {
                    largest = largest.max(Some((claim.size, by)));
                }
                _ => {}
            }
        }
        Ok(largest.map(|(size, by)| (by, size)))
    }

    /// Says what was found.
    pub(super) fn end(mut self, verdict: &mut Verdict) {
        if let Some((first, why)) = self.gone.take()
            && self.claimed
        {
            verdict.tree_gone = true;
            // Somebody took the oldest segments away by hand: told, and wrong where proof is wanted.
            if self.given.is_some() || !self.keys.given().is_empty() {
                self.find(Finding::TreeGone { first, why });
            }
        }
        self.claims_of_keys(verdict);
        verdict.root = self.tree.as_ref().map(Tree::root);
        verdict.checkpoints = self.checkpoints;
        verdict.tiles = self.tiles;
        verdict.signers_unknown = self.signers_unknown;
        verdict.findings = self.findings;
        verdict.findings_left_out = self.left_out;
    }

    /// Whether the log's last line stands under a checkpoint that holds: the given one, its own.
    pub(super) fn covers(&self, seq: Seq) -> [bool; 2] {
        let given = self.given.as_ref().is_some_and(|g| g.checkpoint.size == seq);
        let signed = self.signed.as_ref().is_some_and(|(size, ..)| *size == seq);
        [given && self.given_holds.is_some(), signed]
    }

    fn claims_of_keys(&mut self, verdict: &mut Verdict) {
        let mut anchors = self.keys.given();
        if let Some(given) = self.given.take() {
            let given_signer = self.given_signatures(&given, &mut anchors, verdict);
            let seen = given.checkpoint.size;
            if let Some(size) = self.claims.newest
                && size < seen
                && self.given_holds.is_some()
                && (given_signer.is_some() || !verdict.witnessed.is_empty())
            {
                self.find(Finding::Replayed { size, seen });
            }
            if let (Some(time), Some(at)) = (self.given_holds, given_signer)
                && self.signed.is_none_or(|(size, ..)| size < seen)
            {
                self.signed = Some((seen, at, time));
            }
        }
        let trusted = self.keys.given();
        let Some((seq, at, time)) = self.signed else {
            // Else whoever takes the checkpoints away could write what he likes.
            if !trusted.is_empty() && verdict.damage.is_none() {
                self.find(Finding::NotSigned { trusted: self.keys.names(&trusted) });
            }
            return;
        };
        let vouched = self.keys.descends(at, &anchors);
        let Some(known) = self.keys.get(at) else { return };
        let (key, name) = (known.key.id, known.key.name.clone());
        verdict.signed = Some(Signed {
            key,
            name,
            authority: known.authority,
            vouched: self.keys.descends(at, &trusted),
            seq,
            time,
        });
        if !anchors.is_empty() && !vouched {
            let key = keys::name(&known.key);
            self.find(Finding::KeySwapped { key, trusted: self.keys.names(&anchors) });
        }
    }

    /// Who signed and cosigned the given checkpoint.
    fn given_signatures(
        &mut self,
        given: &SignedCheckpoint,
        anchors: &mut Vec<usize>,
        verdict: &mut Verdict,
    ) -> Option<usize> {
        let by = Claimant::Given;
        let mut asked = Vec::new();
        let mut cosigned = false;
        for witness in self.witnesses {
            match given.cosigning_of(witness) {
                Signing::Right(time_s) => {
                    cosigned = true;
                    if let Some(time) = self.given_holds {
                        verdict.witnessed.push(Witnessed {
                            key: witness.id,
                            name: witness.name.clone(),
                            seq: given.checkpoint.size,
                            at: seconds(time_s),
                            time,
                        });
                    }
                }
                Signing::Wrong => {
                    self.find(Finding::WrongSignature { by, key: keys::name(witness) });
                }
                Signing::Absent => asked.push(keys::name(witness)),
            }
        }
        if !cosigned && !self.witnesses.is_empty() {
            self.find(Finding::NotWitnessed { witnesses: asked.join(", ") });
        }
        match self.keys.signer(given) {
            Signer::Known(at) => {
                if !anchors.is_empty() && !self.keys.descends(at, anchors) {
                    let trusted = self.keys.names(anchors);
                    let key = self.keys.names(&[at]);
                    self.find(Finding::KeySwapped { key, trusted });
                }
                anchors.push(at);
                Some(at)
            }
            Signer::Wrong(key) => {
                self.find(Finding::WrongSignature { by, key });
                None
            }
            // A key that the log ought to name, where its lines are all there.
            Signer::Unknown(key) if self.whole => {
                self.find(Finding::UnknownKey { by, key });
                None
            }
            Signer::Unknown(_) if cosigned => None,
            Signer::Unknown(signers) => {
                self.find(Finding::Untrusted { signers });
                None
            }
        }
    }
}

impl Row {
    /// True where this hash is the last one of its tile.
    fn push(&mut self, index: u64, hash: Digest) -> bool {
        debug_assert_eq!(index, self.from + self.hashes.len() as u64);
        self.hashes.push(hash);
        self.is_full()
    }

    fn is_full(&self) -> bool {
        let end = self.from + self.hashes.len() as u64;
        !self.hashes.is_empty() && end.is_multiple_of(tile::WIDTH)
    }
}

/// The row of the tile level that holds nodes of this level of the tree.
fn row(rows: &mut Vec<Row>, level: u32) -> &mut Row {
    let at = (level / tile::HEIGHT) as usize - 1;
    if rows.len() <= at {
        rows.resize_with(at + 1, Row::default);
    }
    &mut rows[at]
}

/// The root over a full tile.
fn tile_root(bytes: &[u8]) -> Option<Digest> {
    (bytes.len() == tile::BYTES).then_some(())?;
    let mut tree = Tree::new();
    bytes.as_chunks::<32>().0.iter().for_each(|hash| tree.push(Digest(*hash)));
    Some(tree.root())
}

/// Seconds since 1970 as a moment.
fn seconds(time_s: u64) -> Timestamp {
    let ns = i64::try_from(time_s).ok().and_then(|s| s.checked_mul(1_000_000_000));
    Timestamp(ns.unwrap_or(i64::MAX))
}
