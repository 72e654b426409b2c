//! Fast pages, slow pages, pages that come back.

use model::{AlarmClass, Id, Kind, Priority, Timestamp, Vital};

use super::*;
use crate::view::{Alarm, AlarmPhase, BedNumeric, Freshness, Grade, Numeric, Recording};

fn id<K: Kind>(tail: u128) -> Id<K> {
    Id::from_uuid(0x7000_8000_0000_0000_0000 | tail).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_millis(second * 1_000)
}

fn number(patient: u128, vital: Vital, value: i64) -> BedNumeric {
    let numeric = Numeric {
        vital,
        thousandths: Some(value * 1_000),
        text: value.to_string(),
        missing: None,
        taken_at: at(1),
        received_at: at(1),
        device: id(5),
        grade: Grade::Medical,
        state: Freshness::Live,
        low_thousandths: None,
        high_thousandths: None,
        direction: None,
        alarm: None,
        alarm_priority: None,
        clock: model::ClockUsed::Device,
        from_beats: false,
    };
    BedNumeric { patient: id(patient), bed: None, numeric }
}

fn alarm(number: u128) -> Alarm {
    Alarm {
        id: id(number),
        org: id(1),
        priority: Priority::High,
        class: AlarmClass::Physiological,
        code: "MDC_EVT_ECG_ASYSTOLE",
        key: "asystole".into(),
        title: "Asystole".into(),
        detail: String::new(),
        phase: AlarmPhase::Active,
        since: at(1),
        raised_at: at(1),
        step: 0,
        told: vec![],
        unanswered: false,
        no_signal: false,
        latching: true,
        latched: false,
        acknowledged_by: None,
        quiet_until: None,
        next_step_at: None,
        ended_at: None,
        end: None,
        patient: None,
        bed: None,
        care_unit: Some(id(2)),
        device: None,
        vital: None,
        changed_by: None,
    }
}

fn wave(patient: u128, second: i64, on_board: bool) -> Wave {
    Wave {
        care_unit: id(2),
        patient: id(patient),
        device: id(5),
        channel: "MDC_ECG_ELEC_POTL_II".into(),
        start: at(second),
        rate_hz: (250, 1),
        gain: (1, -3),
        offset_counts: 0,
        unit: "mV".into(),
        samples_counts: vec![0; 250].into(),
        marks: vec![],
        gap_before: false,
        on_board,
    }
}

/// A publisher with one page, and the cursor of its newest delta.
struct Desk {
    publisher: Publisher,
    cursor: u64,
}

const BEGAN: u64 = 1_000;

impl Desk {
    fn new() -> Self {
        Self { publisher: Publisher::default(), cursor: BEGAN }
    }

    fn page(&mut self, start: FeedStart) -> FeedReader {
        let cursors = (Cursor(BEGAN), Cursor(self.cursor));
        self.publisher.subscribe(id(2), id(3), start, cursors)
    }

    fn publish(&mut self, numerics: Vec<BedNumeric>, alarms: Vec<Alarm>) {
        self.cursor += 1;
        let mut delta = Delta::empty(id(2), at(self.cursor as i64), Recording::Yes);
        (delta.cursor, delta.numerics, delta.alarms) = (Cursor(self.cursor), numerics, alarms);
        self.publisher.publish(delta);
    }
}

fn all(reader: &mut FeedReader) -> Vec<FeedItem> {
    std::iter::from_fn(|| reader.try_next()).collect()
}

fn cursors(items: &[FeedItem]) -> Vec<u64> {
    let cursor = |item: &FeedItem| match item {
        FeedItem::Delta(delta) => Some(delta.cursor.0),
        _ => None,
    };
    items.iter().filter_map(cursor).collect()
}

fn delta(item: &FeedItem) -> Arc<Delta> {
    let found = match item {
        FeedItem::Delta(delta) => Some(Arc::clone(delta)),
        _ => None,
    };
    found.unwrap()
}

#[test]
fn a_page_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let mut desk = Desk::new();
    for value in 1..=5 {
        desk.publish(vec![number(1, Vital::HeartRate, value)], vec![]);
    }
    let mut page = desk.page(FeedStart::After(Cursor(BEGAN + 2)));
    desk.publish(vec![], vec![alarm(1)]);
    assert_eq!(cursors(&all(&mut page)), [1_003, 1_004, 1_005, 1_006]);
    let mut newest = desk.page(FeedStart::After(Cursor(BEGAN + 6)));
    assert_eq!(all(&mut newest), []);
    let mut from_now = desk.page(FeedStart::Now);
    assert_eq!((all(&mut from_now), from_now.starts_after()), (vec![], Cursor(BEGAN + 6)));
}

#[test]
fn a_cursor_of_another_start_or_too_old_is_gone() {
    let mut desk = Desk::new();
    desk.publish(vec![], vec![alarm(1)]);
    for cursor in [0, BEGAN - 1, BEGAN + 2] {
        let mut page = desk.page(FeedStart::After(Cursor(cursor)));
        assert_eq!(all(&mut page), [FeedItem::Gone], "{cursor}");
    }
    for _ in 0..DELTAS_KEPT_MAX {
        desk.publish(vec![], vec![]);
    }
    // The first delta is the one that is kept no longer; whoever has seen it misses nothing.
    let mut page = desk.page(FeedStart::After(Cursor(BEGAN)));
    assert_eq!(all(&mut page), [FeedItem::Gone]);
    let mut page = desk.page(FeedStart::After(Cursor(BEGAN + 1)));
    assert!(!all(&mut page).contains(&FeedItem::Gone));
}

#[test]
fn a_slow_page_gets_the_newest_numbers_and_every_alarm() {
    let mut desk = Desk::new();
    let mut page = desk.page(FeedStart::Now);
    for round in 0..i64::try_from(READER_DELTAS_MAX).unwrap() + 1 {
        let alarms = if round % 2 == 0 { vec![alarm(round as u128)] } else { vec![] };
        desk.publish(
            vec![number(1, Vital::HeartRate, round), number(2, Vital::HeartRate, -round)],
            alarms,
        );
    }
    let items = all(&mut page);
    let one = delta(&items[0]);
    assert_eq!(items.len(), 1);
    assert_eq!(one.cursor, Cursor(desk.cursor));
    let values: Vec<_> = one.numerics.iter().map(|it| it.numeric.thousandths.unwrap()).collect();
    assert_eq!(values, [64_000, -64_000]);
    assert_eq!(one.alarms.len(), READER_DELTAS_MAX / 2 + 1);
}

#[test]
fn too_many_alarms_send_a_page_back_to_a_snapshot() {
    let mut desk = Desk::new();
    let mut page = desk.page(FeedStart::Now);
    for number in 0..READER_ALARMS_MAX {
        desk.publish(vec![], vec![alarm(number as u128)]);
    }
    assert!(!all(&mut page).contains(&FeedItem::Gone), "the limit itself is no overflow");
    for number in 0..=READER_ALARMS_MAX {
        desk.publish(vec![], vec![alarm(number as u128)]);
    }
    assert_eq!(all(&mut page), [FeedItem::Gone]);
    // It goes on listening from its new snapshot.
    desk.publish(vec![], vec![alarm(1)]);
    assert_eq!(cursors(&all(&mut page)), [desk.cursor]);
}

#[test]
fn a_slow_page_loses_traces_and_is_told_which() {
    let mut desk = Desk::new();
    let mut page = desk.page(FeedStart::Now);
    desk.publisher.draw(wave(1, 0, true));
    assert_eq!(all(&mut page), [], "no trace was asked for");
    page.want(WavesWanted::Board);
    for second in 0..i64::try_from(READER_WAVES_MAX).unwrap() + 2 {
        desk.publisher.draw(wave(1, second, true));
        desk.publisher.draw(wave(1, second, false));
    }
    let items = all(&mut page);
    assert!(matches!(items[0], FeedItem::WaveGap { .. }));
    assert_eq!(items.len(), 1 + READER_WAVES_MAX);
    assert!(matches!(&items[1], FeedItem::Wave(first) if first.start == at(2)));
    page.want(WavesWanted::Patient(id(2)));
    desk.publisher.draw(wave(1, 99, true));
    desk.publisher.draw(wave(2, 99, false));
    assert_eq!(all(&mut page).len(), 1);
}

#[test]
fn a_beat_comes_after_what_it_vouches_for_and_only_to_its_site() {
    let mut desk = Desk::new();
    let mut page = desk.page(FeedStart::Now);
    let beat = |site| Beat {
        site: id(site),
        now: at(1),
        seq: 1,
        device_at: at(1),
        received_at: at(1),
        recording: Recording::Yes,
    };
    desk.publisher.beat(beat(3));
    desk.publisher.beat(beat(4));
    desk.publish(vec![], vec![alarm(1)]);
    let items = all(&mut page);
    assert!(matches!(items[..], [FeedItem::Delta(_), FeedItem::Beat(it)] if it == beat(3)));
}

#[tokio::test]
async fn a_page_waits_until_there_is_something_and_ends_with_the_engine() {
    let mut desk = Desk::new();
    let mut page = desk.page(FeedStart::Now);
    let waiting = tokio::spawn(async move {
        let first = page.next().await;
        let second = page.next().await;
        (first.is_some(), second)
    });
    tokio::task::yield_now().await;
    desk.publish(vec![], vec![alarm(1)]);
    tokio::task::yield_now().await;
    desk.publisher.end();
    assert_eq!(waiting.await.unwrap(), (true, None));
    assert!(!desk.publisher.is_watched(id(2)) || desk.publisher.readers() <= 1);
}
