//! Line protocol and reports at the door: what is kept, what is told, what is a repeat.

use protocols::line::{LineError, Precision};

use super::*;
use crate::limits::{SAMPLES_OF_A_RECORD_MAX, UNCOUNTED_MAX, UNCOUNTED_OF_BATCHES_MAX};

const NOW_MS: i64 = 1_767_258_000_000;

impl Ward {
    pub(super) async fn lines(&self, body: &str) -> Result<LinesTaken, Refusal> {
        self.lines_of(DEVICE, body).await
    }

    async fn lines_of(&self, device: &str, body: &str) -> Result<LinesTaken, Refusal> {
        self.lines_sent_at(None, device, body).await
    }

    /// `device_now`: what the sender's clock said at sending.
    async fn lines_sent_at(
        &self,
        device_now: Option<Timestamp>,
        device: &str,
        body: &str,
    ) -> Result<LinesTaken, Refusal> {
        let message = Message {
            topic: "/write",
            content_type: None,
            payload: body.as_bytes(),
            received_at: Timestamp::from_unix_millis(NOW_MS),
        };
        let lines = Lines { message, precision: Precision::Milliseconds, device_now };
        self.door.take_lines(ORG.parse().unwrap(), device.parse().unwrap(), "https", &lines).await
    }

    fn recalled(&self) -> Self {
        let again = Self::new();
        for record in self.journal.replay(LogOffset::default()) {
            let frame = record.unwrap().frame;
            again.door.recall(&Body::decode(frame.kind, frame.body_version, &frame.body).unwrap());
        }
        again
    }
}

#[tokio::test]
async fn good_lines_are_kept_beside_bad_ones_and_both_are_told() {
    let ward = Ward::new();
    let body = format!(
        "vitals hr=72,odd=1 {NOW_MS}\nvitals hr\nvitals rr=14,spo2=97 {NOW_MS}\nvitals,device={OTHER} hr=9"
    );
    let taken = ward.lines(&body).await.unwrap();
    assert_eq!((taken.good, taken.samples, taken.unmapped), (2, 4, 1));
    let bad = taken.bad.unwrap();
    assert_eq!((bad.count, bad.first, bad.why), (2, 2, LineError::NoFieldValue));
    assert_eq!(taken.durable.unwrap().positions().len(), 2);
    // One group: the letter of the bad lines and the record of the good ones.
    assert_eq!(ward.journalled(), ["letter", "readings"]);
    let counts = ward.door.counts();
    assert_eq!((counts.stored, counts.dead_letters, counts.samples), (1, 1, 4));
    let taken = ward.lines(&format!("vitals,device={DEVICE} hr=73")).await.unwrap();
    assert!(taken.bad.is_none() && taken.good == 1);
}

#[tokio::test]
async fn a_line_without_a_time_is_of_the_moment_at_which_its_sender_says_it_was_sent() {
    let received_at = Timestamp::from_unix_millis(NOW_MS);
    for minutes in [-60, 0, 60] {
        let ward = Ward::new();
        let device_now = Timestamp::from_unix_millis(NOW_MS + minutes * 60_000);
        let taken = ward.lines_sent_at(Some(device_now), DEVICE, "vitals hr=72").await;
        assert_eq!(taken.unwrap().samples, 1);
        let (_, readings) = ward.readings().remove(0);
        assert_eq!((readings.device_at, readings.device_now), (device_now, Some(device_now)));
        let times = model::Times {
            device_at: readings.device_at,
            device_now: readings.device_now,
            gateway_at: readings.gateway_at,
            received_at,
            clock: readings.clock,
            may_be_buffered: readings.may_be_buffered,
        };
        assert_eq!(times.taken().at, received_at, "{minutes} minutes off, and fresh");
    }
    let ward = Ward::new();
    ward.lines("vitals hr=72").await.unwrap();
    assert_eq!(ward.readings().remove(0).1.device_at, received_at);
}

#[tokio::test]
async fn a_gateway_speaks_for_those_who_are_bound_to_it_and_for_nobody_else() {
    let ward = Ward::new();
    let body = format!(
        "vitals,device={CHILD} hr=72 {NOW_MS}\nvitals hr=60 {NOW_MS}\nvitals,device={OTHER} hr=9\nvitals,device=me hr=9"
    );
    let taken = ward.lines(&body).await.unwrap();
    let bad = taken.bad.unwrap();
    assert_eq!((taken.good, bad.count, bad.why), (2, 2, LineError::NotYours));
    let owners: Vec<String> = ward
        .journal
        .replay(LogOffset::default())
        .filter_map(|record| {
            let frame = record.unwrap().frame;
            match Body::decode(frame.kind, frame.body_version, &frame.body).unwrap() {
                Body::Readings(readings) => Some(readings.device.to_string()),
                _ => None,
            }
        })
        .collect();
    assert_eq!(owners, [DEVICE, CHILD]);
    // The one who is spoken for does not speak for its gateway.
    let turned = ward.lines_of(CHILD, &format!("vitals,device={DEVICE} hr=9")).await.unwrap();
    assert_eq!(turned.bad.map(|bad| bad.why), Some(LineError::NotYours));
    assert_eq!(ward.lines(&body).await.unwrap().samples, 0, "a repeat of both");
}

#[tokio::test]
async fn a_body_that_comes_again_is_stored_once_whole_or_in_part() {
    let ward = Ward::new();
    let line = |at: i64| format!("vitals hr=72,rr=14 {}\n", NOW_MS - at);
    let first: String = (0..300).map(line).collect();
    assert_eq!(ward.lines(&first).await.unwrap().samples, 600);
    let again = ward.lines(&first).await.unwrap();
    assert_eq!((again.samples, again.good), (0, 300));
    // Cut anew by the sender, with new lines behind the old ones.
    let later: String = (0..2).chain(300..305).map(line).collect();
    assert_eq!(ward.lines(&later).await.unwrap().samples, 10);
    assert_eq!(ward.journalled(), ["readings", "duplicate", "readings"]);
    // And after a restart as well.
    let restarted = ward.recalled();
    assert_eq!(restarted.lines(&first).await.unwrap().samples, 0);
}

#[tokio::test]
async fn a_body_with_more_samples_than_a_record_takes_becomes_several_in_one_group() {
    let check = async |samples: usize, records: usize| {
        let ward = Ward::new();
        let lines = (0..samples).map(|at| format!("vitals hr=72 {}\n", NOW_MS - at as i64));
        let body: String = lines.collect();
        let taken = ward.lines(&body).await.unwrap();
        assert_eq!(taken.samples, samples as u64);
        assert_eq!(ward.journalled().len(), records, "{samples}");
        assert_eq!(ward.lines(&body).await.unwrap().samples, 0);
    };
    check(SAMPLES_OF_A_RECORD_MAX - 1, 1).await;
    check(SAMPLES_OF_A_RECORD_MAX, 1).await;
    check(SAMPLES_OF_A_RECORD_MAX + 1, 2).await;
}

#[test]
fn more_is_remembered_of_those_who_send_more_and_no_more_than_so_much() {
    let check = |at_once: usize, remembered: usize| {
        let mut seen = Seen::default();
        seen.widen(at_once);
        for print in 0..=remembered as u64 {
            assert!(!seen.repeats_sample(print));
        }
        assert!(seen.repeats_sample(1), "{at_once}: the second of {remembered} is known");
        assert!(!seen.repeats_sample(0), "{at_once}: the first is forgotten");
    };
    check(1, UNCOUNTED_MAX);
    check(UNCOUNTED_MAX / 16, UNCOUNTED_MAX);
    check(UNCOUNTED_MAX / 16 + 1, UNCOUNTED_MAX + 16);
    check(UNCOUNTED_OF_BATCHES_MAX, UNCOUNTED_OF_BATCHES_MAX);
}

#[tokio::test]
async fn lines_of_a_stranger_and_lines_without_a_disk_are_refused() {
    let ward = Ward::new();
    let stranger = ward.lines_of(OTHER, "vitals hr=72").await.unwrap_err();
    assert!(matches!(stranger, Refusal::Dead { not_yours: true, .. }), "{stranger}");
    let empty = ward.lines("# nothing\n\n").await.unwrap();
    assert!(empty.durable.is_none() && empty.bad.is_none());
    let ward = Ward::new();
    ward.disk.set_room(Some(0));
    assert!(matches!(ward.lines("vitals hr=72").await, Err(Refusal::NotDurable(_))));
    ward.disk.set_room(None);
    // What was refused is new when it comes again.
    let mut stored = None;
    for _ in 0..1_000_000 {
        if let Ok(taken) = ward.lines("vitals hr=72").await {
            stored = Some(taken.samples);
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(stored, Some(1));
}

#[tokio::test]
async fn reports_are_read_kept_and_recognised() {
    let ward = Ward::new();
    let command = "cmd/0192f0c1-2b3a-7c4d-8e5f-00000000000c";
    for (leaf, said, want) in [
        ("event", r#"{"event":"fall","boot":"00000000000000a3","seq":1}"#, "stored"),
        ("event", r#"{"event":"fall","boot":"00000000000000a3","seq":1}"#, "repeated"),
        ("event", r#"{"event":"fall","boot":"00000000000000a3","seq":2}"#, "stored"),
        // Without a count the whole content tells, if it says when.
        ("state", r#"{"online":true,"at":1767258000}"#, "stored"),
        ("state", r#"{"online":true,"at":1767258000}"#, "repeated"),
        ("state", r#"{"online":false,"at":1767258000}"#, "stored"),
        // Without either, the same may have happened again.
        ("state", r#"{"online":false}"#, "stored"),
        ("state", r#"{"online":false}"#, "stored"),
        ("cfg", r#"{"version":"12"}"#, "stored"),
        (command, r#"{"status":"done"}"#, "stored"),
        ("log", r#"{"level":"error","text":"x"}"#, "stored"),
        ("log", "a line of any kind", "stored"),
        ("event", r#"{"event":7}"#, "dead: event:event"),
        ("event", r#"{"event":"#, "dead: event:json"),
        ("state", "online", "dead: state:json"),
        ("cfg", "{}", "dead: cfg:version"),
        (command, r#"{"status":"maybe"}"#, "dead: cmd:status"),
        ("log", r#"{"level":"loud"}"#, "dead: log:level"),
    ] {
        assert_eq!(ward.message(leaf, said.as_bytes()).await, want, "{leaf} {said}");
    }
    let want = [
        "event",
        "duplicate",
        "event",
        "state",
        "duplicate",
        "state",
        "state",
        "state",
        "config",
        "command_result",
        "event",
        "upward",
        "letter",
        "letter",
        "letter",
        "letter",
        "letter",
        "letter",
    ];
    assert_eq!(ward.journalled(), want);
    let restarted = ward.recalled();
    let first = r#"{"event":"fall","boot":"00000000000000a3","seq":1}"#;
    assert_eq!(restarted.message("event", first.as_bytes()).await, "repeated");
}
