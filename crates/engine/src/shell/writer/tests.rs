//! Rows that wait for a disk, samples without room, and what is told of both.

use std::time::Duration;

use model::{Code, Id, Kind, Timestamp};
use store::{DataDir, Noun, SeriesLimits};

use super::*;
use crate::limits::BATCHES_BEHIND_MAX;

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap()
}

fn site(number: u64) -> Row {
    let name = "a name that fills a page before long".repeat(8);
    let noun = Noun::Site(model::Site { id: id(u128::from(number) + 1_000), org: id(1), name });
    let offset = LogOffset::from_bytes(number);
    Row { org: id(1), offset, index: 0, known_at: Timestamp::from_unix_millis(1), noun }
}

fn point(number: u64) -> PointOf {
    let at = Timestamp::from_unix_millis(1_700_000_000_000).after(Duration::from_secs(number));
    PointOf {
        org: Some(id(1)),
        device: id(2),
        channel: "hr".into(),
        kind: Some(Code::Mdc(147_842)),
        ucum: "/min".into(),
        at,
        received_at: at,
        value: Ok((72, 0)),
        is_late: false,
        clock: model::ClockUsed::Device,
        age_known: true,
    }
}

struct Desk {
    series: Series,
    records: Records,
    writer: WriterHandle,
    _folder: (tempfile::TempDir, DataDir),
}

impl Desk {
    fn new(limits: SeriesLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let series = Series::open_with(dir.series(), limits).unwrap();
        let records = Records::open(&dir.records()).unwrap();
        let writer =
            WriterHandle::start(Clock::system(), series.clone(), records.clone(), false, false)
                .unwrap();
        Self { series, records, writer, _folder: (folder, dir) }
    }

    /// Gives rows with an answer that comes once they were tried.
    async fn gives(&mut self, rows: Vec<Row>) {
        let command = ::record::Position { partition: id(9), seq: 1 };
        let outcomes = vec![OutcomeOf { command, answer: Ok(None) }];
        let (points, waves) = (Vec::new(), Vec::new());
        assert!(self.writer.send(Job::Batch {
            points,
            waves,
            corrections: Vec::new(),
            rows,
            outcomes
        }));
        loop {
            if let Wrote::Rows(_) = self.writer.next().await {
                return;
            }
        }
    }

    async fn seals(&mut self, up_to: u64) -> bool {
        let (go, gone) = oneshot::channel();
        go.send(true).unwrap();
        let (up_to, bytes) = (LogOffset::from_bytes(up_to), vec![7]);
        assert!(self.writer.send(Job::Seal { up_to, bytes, go: gone }));
        loop {
            match self.writer.next().await {
                Wrote::Sealed(_) => return true,
                Wrote::NotSealed => return false,
                Wrote::Rows(_) | Wrote::SealSoon => {}
            }
        }
    }
}

#[tokio::test]
async fn rows_wait_for_a_full_disk_and_are_written_when_there_is_room() {
    let mut desk = Desk::new(SeriesLimits::default());
    desk.gives(vec![site(1)]).await;
    desk.records.set_room(Some(1)).unwrap();
    desk.gives((2..500).map(site).collect()).await;
    assert_eq!(desk.writer.trouble(), (498, false));
    assert!(!desk.seals(600).await, "a checkpoint passed rows that are not there");
    desk.gives((500..600).map(site).collect()).await;
    assert_eq!(desk.writer.trouble(), (598, false));
    assert_eq!(desk.records.applied().unwrap(), LogOffset::from_bytes(1));
    desk.records.set_room(None).unwrap();
    // Nothing else comes: it tries by itself, and all of them are there.
    while desk.writer.trouble() != (0, false) {
        tokio::task::yield_now().await;
    }
    assert_eq!(desk.records.applied().unwrap(), LogOffset::from_bytes(599));
    assert!(desk.seals(600).await);
}

#[tokio::test]
async fn no_more_rows_wait_than_the_limit_and_no_checkpoint_passes_those_that_were_left() {
    let mut desk = Desk::new(SeriesLimits::default());
    desk.gives(vec![site(1)]).await;
    desk.records.set_room(Some(1)).unwrap();
    let most = u64::try_from(ROWS_WAITING_MAX).unwrap();
    desk.gives((2..most + 2).map(site).collect()).await;
    assert_eq!(desk.writer.trouble(), (most, false), "at the limit");
    desk.gives(vec![site(most + 2)]).await;
    assert_eq!(desk.writer.trouble(), (0, true), "one above");
    desk.records.set_room(None).unwrap();
    desk.gives(vec![site(most + 3)]).await;
    assert!(!desk.seals(most + 4).await, "a checkpoint passed rows that were left to a restart");
    assert_eq!(desk.series.load_checkpoint().unwrap(), None);
}

#[tokio::test]
async fn samples_without_room_are_told_and_no_checkpoint_passes_them() {
    let limits = SeriesLimits { points_soon: 2, points_max: 3, ..SeriesLimits::default() };
    let mut desk = Desk::new(limits);
    let push = |desk: &mut Desk, numbers: std::ops::Range<u64>| {
        let (points, waves) = (numbers.map(point).collect(), Vec::new());
        let (rows, outcomes) = (Vec::new(), Vec::new());
        assert!(desk.writer.send(Job::Batch {
            points,
            waves,
            corrections: Vec::new(),
            rows,
            outcomes
        }));
    };
    push(&mut desk, 0..3);
    assert!(desk.seals(10).await);
    assert_eq!(desk.writer.trouble(), (0, false), "at the limit");
    push(&mut desk, 3..7);
    assert!(!desk.seals(20).await);
    assert_eq!(desk.writer.trouble(), (0, true), "one above");
    let found = desk.series.load_checkpoint().unwrap();
    assert_eq!(found.map(|(offset, _)| offset.bytes()), Some(10));
}

#[tokio::test]
async fn a_start_that_lacks_samples_makes_no_checkpoint() {
    let desk = Desk::new(SeriesLimits::default());
    let (series, records) = (desk.series.clone(), desk.records.clone());
    let mut writer = WriterHandle::start(Clock::system(), series, records, false, true).unwrap();
    assert_eq!(writer.trouble(), (0, true));
    let (go, gone) = oneshot::channel();
    go.send(true).unwrap();
    let (up_to, bytes) = (LogOffset::from_bytes(5), vec![7]);
    assert!(writer.send(Job::Seal { up_to, bytes, go: gone }));
    assert!(matches!(writer.next().await, Wrote::NotSealed));
}

/// One that was behind answers before it tries, and takes what came between two tries.
#[tokio::test]
async fn behind_a_database_that_failed_nobody_waits_and_rows_go_in_a_few_at_a_time() {
    let Desk { series, records, _folder, .. } = Desk::new(SeriesLimits::default());
    let (tell, mut told) = mpsc::unbounded_channel();
    let (ids, trouble) = (HashMap::new(), Arc::<Trouble>::default());
    let (no_series, is_filling, is_behind, pause) = (false, false, true, TRY_AGAIN);
    let mut writer = Writer {
        series,
        records: records.clone(),
        no_series,
        tell,
        ids,
        is_filling,
        trouble: Arc::clone(&trouble),
        is_behind,
        pause,
    };
    let command = ::record::Position { partition: id(9), seq: 1 };
    let asked = || vec![OutcomeOf { command, answer: Ok(None) }];
    let (mut rows, mut outcomes) = ((1..=4_500).map(site).collect::<Vec<_>>(), asked());
    let applied = || records.applied().unwrap().bytes();
    for (left, at) in [(2_500, 2_000), (500, 4_000), (0, 4_500)] {
        writer.write(&mut rows, &mut outcomes);
        assert_eq!((rows.len(), applied()), (left, at));
        assert_eq!((writer.is_behind, writer.pause), (left > 0, Duration::ZERO));
    }
    assert!(matches!(told.try_recv(), Ok(Wrote::Rows(_))));
    assert!(told.try_recv().is_err(), "answered once");
    // One that is not behind answers when all of them can be read.
    let (mut rows, mut outcomes) = ((5_001..=9_500).map(site).collect::<Vec<_>>(), asked());
    writer.write(&mut rows, &mut outcomes);
    assert_eq!((rows.len(), applied()), (0, 9_500));
    // While it fails all that is in the queue comes out before the next try.
    records.set_room(Some(1)).unwrap();
    let mut rows = (10_001..=10_400).map(site).collect::<Vec<_>>();
    writer.write(&mut rows, &mut asked());
    assert!(writer.is_behind && writer.pause == TRY_AGAIN);
    let (jobs, queue) = sync_channel(BATCHES_BEHIND_MAX);
    for number in 0..2_000 {
        let (points, waves, rows) = (Vec::new(), Vec::new(), vec![site(20_000 + number)]);
        jobs.send(Job::Batch { points, waves, corrections: Vec::new(), rows, outcomes: asked() })
            .unwrap();
    }
    drop(jobs);
    while told.try_recv().is_ok() {}
    writer.run(&queue, &Clock::system());
    let Some(Wrote::Rows(answers)) = told.recv().await else { unreachable!() };
    assert_eq!(answers.len(), 2_000, "one try for all of them");
}

/// A writer that is never scheduled: its queue fills, and one job more is given up.
#[test]
fn a_writer_that_is_hopelessly_behind_is_given_up_and_told() {
    let (jobs, queue) = sync_channel(BATCHES_BEHIND_MAX);
    let (_tell, wrote) = mpsc::unbounded_channel();
    let (unwritten, thread, trouble) = (Vec::new(), None, Arc::default());
    let (given_up, has_ended) = (false, false);
    let jobs = Some(jobs);
    let mut writer = WriterHandle { jobs, wrote, unwritten, thread, trouble, given_up, has_ended };
    let job = || Job::Batch {
        points: vec![point(1)],
        waves: Vec::new(),
        corrections: Vec::new(),
        rows: Vec::new(),
        outcomes: Vec::new(),
    };
    for _ in 0..BATCHES_BEHIND_MAX {
        assert!(writer.send(job()));
    }
    assert!(!writer.has_given_up(), "at the limit");
    assert!(!writer.send(job()));
    assert!(writer.has_given_up() && writer.trouble().1, "one above");
    drop(queue);
}

/// Rows of many batches go into one transaction, also if they come a moment apart; an asker
/// does not wait for more of them.
#[tokio::test]
async fn rows_that_nobody_waits_for_gather_until_somebody_does() {
    let Desk { records, mut writer, _folder, .. } = Desk::new(SeriesLimits::default());
    let batch = |number, outcomes| Job::Batch {
        points: Vec::new(),
        waves: Vec::new(),
        corrections: Vec::new(),
        rows: vec![site(number)],
        outcomes,
    };
    // More than a moment's worth: they are written though nobody asks, and though more come.
    let mut number = 0;
    while records.applied().unwrap().bytes() == 0 {
        number += 1;
        assert!(writer.send(batch(number, Vec::new())));
        tokio::task::yield_now().await;
    }
    assert!(records.applied().unwrap().bytes() > 1, "gathered");
    let command = ::record::Position { partition: id(9), seq: 1 };
    assert!(writer.send(batch(number + 1, vec![OutcomeOf { command, answer: Ok(None) }])));
    assert!(matches!(writer.next().await, Wrote::Rows(_)));
    assert_eq!(records.applied().unwrap().bytes(), number + 1, "all that came before, too");
    assert!(writer.send(batch(number + 2, Vec::new())));
    writer.end();
    assert_eq!(records.applied().unwrap().bytes(), number + 2, "the end writes what gathers");
}
