//! Both engines answer alike, whatever is asked of whatever events.

mod common;

use common::{Rng, lines, request};
use std::collections::BTreeMap;

use ghost_index::{
    Clause, EachLine, EmbeddedIndex, Hit, Index, Kind, LineSource, Met, OracleIndex, Point,
    Position, Request, Together, Visit, Walk,
};

/// What a walk told of an event.
type Told = (u64, i64, i64, u64, u64, u64, u64, u64, Position);

fn told(event: &Met<'_>) -> Told {
    let (start, end) = (event.start().0, event.end().0);
    let bytes = event.bytes_to_server() ^ event.bytes_to_client().rotate_left(32);
    let (seq, shape, flow) = (event.seq(), event.shape().0, event.flow());
    (seq, start, end, shape, event.packets(), bytes, flow, event.held, event.position())
}

/// Everything that a walk over terms tells, in order.
#[derive(Default)]
struct Terms {
    now: Option<(Kind, Vec<u8>)>,
    all: BTreeMap<(Kind, Vec<u8>), Vec<Told>>,
}

impl Visit for Terms {
    fn term(&mut self, kind: Kind, value: &[u8]) -> bool {
        self.now = Some((kind, value.to_vec()));
        // Some are not wanted: nothing may be heard of their events.
        value.last() != Some(&b'1')
    }
    fn event(&mut self, event: &Met<'_>) {
        self.all.entry(self.now.clone().unwrap()).or_default().push(told(event));
    }
}

const WALKED: [Kind; 7] =
    [Kind::App, Kind::Behaviour, Kind::SrcIp, Kind::DstPort, Kind::Name, Kind::Event, Kind::Fact];

/// What both walks of `request` tell of `index`, in an order of its own.
fn walked(index: &dyn Index, request: &Request) -> (Vec<Told>, Terms, u64) {
    let also = request.should.iter().map(|(clause, _)| clause.clone()).collect();
    let walk = Walk { filter: request.filter.clone(), also, as_of: request.as_of };
    let mut events = Vec::new();
    let whole = index.events(&walk, &mut |event| events.push(told(event))).unwrap();
    events.sort_unstable();
    let mut terms = Terms::default();
    let again = index.terms(&walk, &WALKED, &mut terms).unwrap();
    terms.all.values_mut().for_each(|of| of.sort_unstable());
    assert_eq!((whole.matched, whole.searched), (events.len() as u64, again.searched));
    assert_eq!((whole.span, whole.damaged), (again.span, again.damaged));
    (events, terms, whole.matched)
}

fn check(seed: u64, events: u64, requests: u32) {
    let mut rng = Rng::new(seed);
    let lines = lines(&mut rng, events);
    let dir = tempfile::tempdir().unwrap();
    let mut embedded = EmbeddedIndex::open(dir.path()).unwrap();
    let mut oracle = OracleIndex::new();
    for (i, (line, at)) in lines.iter().enumerate() {
        embedded.add(line.as_bytes(), *at).unwrap();
        oracle.add(line.as_bytes(), *at).unwrap();
        if i % 97 == 13 && rng.below(2) == 0 {
            embedded.commit().unwrap();
        }
    }
    embedded.commit().unwrap();
    assert!(embedded.indexed_to() <= oracle.indexed_to(), "seed {seed}");
    assert_eq!(embedded.content_digest().unwrap(), oracle.content_digest().unwrap(), "seed {seed}");
    // What is not committed is read from the log's tail, by the writer and beside it.
    let reader = EmbeddedIndex::open_read(dir.path()).unwrap();
    assert_eq!(reader.indexed_to(), embedded.indexed_to());
    let mut tail = OracleIndex::new();
    for (line, at) in lines.iter().skip(usize::try_from(reader.indexed_to()).unwrap()) {
        tail.add(line.as_bytes(), *at).unwrap();
    }
    let reader = Together::new(vec![&reader, &tail]);
    let embedded = Together::new(vec![&embedded, &tail]);
    let engines: [&dyn Index; 2] = [&embedded, &reader];
    let mut hits = 0;
    for n in 0..requests {
        let request = request(&mut rng);
        let want = oracle.search(&request).unwrap();
        hits += want.hits.len();
        let points: Vec<Point> = want.hits.iter().filter_map(Hit::point).collect();
        let tallies = oracle.tally(&points).unwrap();
        let (events, terms, matched) = walked(&oracle, &request);
        assert_eq!(matched, want.matched, "a walk and a search agree on what there is");
        assert!(tallies.iter().all(|t| t.packets > 0 && t.bytes > 0));
        for engine in engines {
            let got = engine.search(&request).unwrap();
            assert_eq!(engine.tally(&points).unwrap(), tallies, "seed {seed} request {n}");
            let walked = walked(engine, &request);
            assert_eq!(walked.0, events, "seed {seed} request {n}: {request:?}");
            assert_eq!(walked.1.all, terms.all, "seed {seed} request {n}: {request:?}");
            assert_eq!(got.hits, want.hits, "seed {seed} request {n}: {request:?}");
            if got.partitions_skipped == 0 {
                assert_eq!(got.matched, want.matched, "seed {seed} request {n}: {request:?}");
            }
            assert_eq!(got.damaged, Vec::<String>::new());
        }
    }
    assert!(events == 0 || hits > 100, "seed {seed}: the requests find next to nothing");
}

#[test]
fn both_engines_give_the_same_hits_scores_and_digest() {
    for seed in 1..=12 {
        check(seed, 300, 40);
    }
}

#[test]
fn an_empty_index_answers_and_says_so() {
    check(99, 0, 5);
}

struct Lines(Vec<(String, Position)>);

impl LineSource for Lines {
    fn lines(
        &self,
        after: u64,
        to: u64,
        each: EachLine<'_>,
    ) -> Result<(), ghost_index::IndexError> {
        for (i, (line, at)) in self.0.iter().enumerate() {
            let seq = i as u64 + 1;
            if seq > after && seq <= to {
                each(line.as_bytes(), *at)?;
            }
        }
        Ok(())
    }
}

#[test]
fn lines_fed_again_after_a_crash_are_known_and_what_was_not_committed_is_taken_in() {
    let lines = lines(&mut Rng::new(5), 200);
    let dir = tempfile::tempdir().unwrap();
    let mut index = EmbeddedIndex::open(dir.path()).unwrap();
    for (i, (line, at)) in lines.iter().enumerate() {
        index.add(line.as_bytes(), *at).unwrap();
        if i == 119 {
            index.commit().unwrap();
        }
    }
    drop(index);
    let mut index = EmbeddedIndex::open(dir.path()).unwrap();
    // Behind it: what was not committed, and the window of packets that was open.
    assert!((1..=120).contains(&index.indexed_to()));
    let mut oracle = OracleIndex::new();
    for (line, at) in &lines {
        index.add(line.as_bytes(), *at).unwrap();
        oracle.add(line.as_bytes(), *at).unwrap();
    }
    index.commit().unwrap();
    assert_eq!(index.content_digest().unwrap(), oracle.content_digest().unwrap());
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path()).unwrap();
    assert!(matches!(EmbeddedIndex::open(dir.path()), Err(ghost_index::IndexError::Busy { .. })));
    EmbeddedIndex::open_read(dir.path()).unwrap();
    drop(index);
    EmbeddedIndex::open(dir.path()).unwrap();
}

/// An index over several partitions, by segments large enough to be sealed.
fn partitioned(dir: &std::path::Path) -> (Lines, OracleIndex) {
    let mut rng = Rng::new(3);
    let mut lines = lines(&mut rng, 900);
    for (i, (_, at)) in lines.iter_mut().enumerate() {
        at.segment = i as u64 / 300 * 300 + 1;
    }
    let mut oracle = OracleIndex::new();
    for (line, at) in &lines {
        oracle.add(line.as_bytes(), *at).unwrap();
    }
    let mut index = EmbeddedIndex::open_with(dir, 200).unwrap();
    for (line, at) in &lines {
        index.add(line.as_bytes(), *at).unwrap();
    }
    index.close_window().unwrap();
    index.commit().unwrap();
    assert_eq!(index.status().partitions, 3);
    (Lines(lines), oracle)
}

fn everything() -> Request {
    Request { limit: 2000, ..Request::default() }
}

#[test]
fn an_altered_partition_is_told_and_made_again_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, oracle) = partitioned(dir.path());
    let hurt = dir.path().join(format!("p-{:020}", 301));
    for file in std::fs::read_dir(&hurt).unwrap().map(|f| f.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "idx" || e == "fast") {
            let mut bytes = std::fs::read(&file).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 0x55;
            std::fs::write(&file, bytes).unwrap();
        }
    }
    let mut index = EmbeddedIndex::open(dir.path()).unwrap();
    let response = index.search(&everything()).unwrap();
    assert_eq!(response.damaged.len(), 1, "{:?}", response.damaged);
    assert_eq!(response.partitions_searched, 2);
    let made = index.repair(&lines).unwrap();
    assert_eq!(made.len(), 1);
    let response = index.search(&everything()).unwrap();
    assert_eq!(response.damaged, Vec::<String>::new());
    assert_eq!(response.hits, oracle.search(&everything()).unwrap().hits);
    assert_eq!(index.content_digest().unwrap(), oracle.content_digest().unwrap());
}

#[test]
fn a_partition_that_is_gone_is_told_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, oracle) = partitioned(dir.path());
    std::fs::remove_dir_all(dir.path().join(format!("p-{:020}", 301))).unwrap();
    let mut index = EmbeddedIndex::open(dir.path()).unwrap();
    assert_eq!(index.search(&everything()).unwrap().damaged.len(), 1);
    index.repair(&lines).unwrap();
    assert_eq!(index.search(&everything()).unwrap().damaged.len(), 0);
    assert_eq!(index.content_digest().unwrap(), oracle.content_digest().unwrap());
}

#[test]
fn a_shapes_file_that_was_cut_is_told_and_read_again_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, oracle) = partitioned(dir.path());
    let path = dir.path().join("shapes");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let mut index = EmbeddedIndex::open(dir.path()).unwrap();
    assert_eq!(index.search(&everything()).unwrap().damaged.len(), 1);
    index.repair(&lines).unwrap();
    assert_eq!(index.content_digest().unwrap(), oracle.content_digest().unwrap());
    let index = EmbeddedIndex::open_read(dir.path());
    assert_eq!(index.unwrap().shapes().len(), oracle.shapes().len());
}

#[test]
fn retired_segments_are_gone_at_once_and_whole_partitions_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, _) = partitioned(dir.path());
    let mut index = EmbeddedIndex::open(dir.path()).unwrap();
    index.retain(601).unwrap();
    assert_eq!(index.status().partitions, 1);
    let mut oracle = OracleIndex::new();
    for (line, at) in lines.0.iter().filter(|(_, at)| at.segment >= 601) {
        oracle.add(line.as_bytes(), *at).unwrap();
    }
    assert_eq!(
        index.search(&everything()).unwrap().hits,
        oracle.search(&everything()).unwrap().hits
    );
}

#[test]
fn a_time_range_opens_only_its_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let (_, oracle) = partitioned(dir.path());
    let index = EmbeddedIndex::open_read(dir.path()).unwrap();
    let newest = oracle.search(&everything()).unwrap().span.unwrap();
    let far = ghost_event::Timestamp(newest.1.0 + 1);
    let request = Request {
        filter: vec![Clause::Time { from: far, until: ghost_event::Timestamp(i64::MAX) }],
        ..everything()
    };
    let response = index.search(&request).unwrap();
    assert_eq!((response.partitions_searched, response.partitions_skipped), (0, 3));
}

#[test]
fn many_partitions_are_joined_and_still_answer_alike() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(8);
    let mut lines = lines(&mut rng, 700);
    for (i, (_, at)) in lines.iter_mut().enumerate() {
        at.segment = i as u64 / 10 * 10 + 1;
    }
    let mut index = EmbeddedIndex::open_with(dir.path(), 1).unwrap();
    let mut oracle = OracleIndex::new();
    for (line, at) in &lines {
        index.add(line.as_bytes(), *at).unwrap();
        oracle.add(line.as_bytes(), *at).unwrap();
    }
    index.close_window().unwrap();
    index.commit().unwrap();
    assert!(index.status().partitions <= 64, "{}", index.status().partitions);
    drop(index);
    let index = EmbeddedIndex::open(dir.path()).unwrap();
    assert_eq!(index.content_digest().unwrap(), oracle.content_digest().unwrap());
    for _ in 0..20 {
        let request = request(&mut rng);
        assert_eq!(
            index.search(&request).unwrap().hits,
            oracle.search(&request).unwrap().hits,
            "{request:?}"
        );
    }
}

#[test]
fn where_a_capture_lay_is_not_in_the_index() {
    let lines = lines(&mut Rng::new(4), 120);
    let mut digests = Vec::new();
    for file in ["a.pcap", "/tmp/ssh-bruteforce.pcap"] {
        let mut index = OracleIndex::new();
        for (line, at) in &lines {
            index.add(line.replace("capture.pcap", file).as_bytes(), *at).unwrap();
        }
        digests.push(index.content_digest().unwrap());
    }
    assert_eq!(digests[0], digests[1]);
}
