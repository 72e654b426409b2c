//! What the door lets in, keeps as a dead letter, recognises, and never acknowledges.

mod gateway;
mod replay;

mod said;

use std::sync::Arc;

use model::{Lifecycle, Timestamp};
use protocols::profile::Profile;
use record::MqttNote;
use store::{Clock, FaultyDisk, Happened, JournalLimits, LogOffset};

use super::*;

const ORG: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000001";
const SITE: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000002";
const DEVICE: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000003";
const OTHER: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000004";

/// Bound to `DEVICE`, which is its gateway.
const CHILD: &str = "0192f0c1-2b3a-7c4d-8e5f-000000000005";

struct Ward {
    disk: FaultyDisk,
    door: Door,
    journal: Journal,
}

impl Ward {
    fn new() -> Self {
        Self::with_profile(include_str!("../../../../profiles/bedside-monitor/profile.toml"))
    }

    fn with_profile(profile: &str) -> Self {
        Self::with(profile, JournalLimits::default())
    }

    fn with(profile: &str, limits: JournalLimits) -> Self {
        let (disk, now) = (FaultyDisk::new(), Timestamp::from_unix_millis(1_767_258_000_000));
        let clock = Clock::manual(now);
        let (journal, _) = Journal::open(disk.clone(), clock, limits).unwrap();
        let profile = Arc::new(Profile::parse(profile).unwrap());
        let lookup = move |device: DeviceId| {
            let site: SiteId = SITE.parse().unwrap();
            let (org, partition) = (ORG.parse().unwrap(), site.into());
            let (profile, lifecycle) = (Arc::clone(&profile), Lifecycle::InService);
            let known = [DEVICE, CHILD].contains(&&*device.to_string());
            let gateway = (device.to_string() == CHILD).then(|| DEVICE.parse().unwrap());
            known.then_some(DeviceRef {
                id: device,
                org,
                site,
                partition,
                profile,
                lifecycle,
                gateway,
            })
        };
        let fallback = (ORG.parse().unwrap(), SITE.parse().unwrap());
        let door = Door::new(journal.clone(), Registry::new(lookup), fallback);
        Self { disk, door, journal }
    }

    /// Takes one message of numerics; answers what became of it, in a word.
    async fn numerics(&self, payload: &str) -> String {
        self.message("num", payload.as_bytes()).await
    }

    async fn message(&self, leaf: &str, payload: &[u8]) -> String {
        self.topic(&format!("wl/1/{SITE}/{DEVICE}/up/{leaf}"), payload).await
    }

    async fn topic(&self, topic: &str, payload: &[u8]) -> String {
        let received_at = Timestamp::from_unix_millis(1_767_258_000_000);
        let message = Message { topic, content_type: None, payload, received_at };
        let taken = self.door.take(ORG.parse().unwrap(), DEVICE.parse().unwrap(), "mqtt", &message);
        match taken.await {
            Ok(Durably::Stored(_)) => "stored".to_owned(),
            Ok(Durably::Repeated(_)) => "repeated".to_owned(),
            Err(Refusal::Dead { reason, not_yours: true, .. }) => {
                format!("dead, not yours: {reason}")
            }
            Err(Refusal::Dead { reason, .. }) => format!("dead: {reason}"),
            Err(Refusal::NotDurable(_)) => "no answer".to_owned(),
        }
    }

    /// What the journal holds, one word a record.
    fn journalled(&self) -> Vec<&'static str> {
        let records = self.journal.replay(LogOffset::default());
        let word = |body: &Body| match body {
            Body::Readings(_) => "readings",
            Body::Wave(_) => "wave",
            Body::DeadLetter(_) => "letter",
            Body::Duplicate(_) => "duplicate",
            Body::Upward(_) => "upward",
            Body::Event(_) => "event",
            Body::State(_) => "state",
            Body::Config(_) => "config",
            Body::CommandResult(_) => "command_result",
            _ => "other",
        };
        let bodies = records.map(|record| {
            let frame = record.unwrap().frame;
            Body::decode(frame.kind, frame.body_version, &frame.body).unwrap()
        });
        // Who was turned away is written beside, and counted elsewhere.
        let bodies = bodies.filter(|body| !matches!(body, Body::TurnedAway(_)));
        bodies.map(|body| word(&body)).collect()
    }
}

fn counted(seq: u32, rate: &str) -> String {
    format!(
        r#"[{{"bt":1767258000}},{{"n":"wl:boot","vs":"00000000000000a3"}},{{"n":"wl:seq","v":{seq}}},{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":{rate}}}]"#
    )
}

#[tokio::test]
async fn a_message_is_stored_once_however_often_it_comes() {
    let ward = Ward::new();
    for (payload, want) in [
        (counted(1, "72"), "stored"),
        (counted(1, "72"), "repeated"),
        (counted(2, "72"), "stored"),
        // A device that does not count is recognised by what it says.
        (r#"[{"bt":1767258000,"n":"MDC_RESP_RATE","u":"/min","v":14}]"#.to_owned(), "stored"),
        (r#"[{"bt":1767258000,"n":"MDC_RESP_RATE","u":"/min","v":14}]"#.to_owned(), "repeated"),
        (r#"[{"bt":1767258001,"n":"MDC_RESP_RATE","u":"/min","v":14}]"#.to_owned(), "stored"),
    ] {
        assert_eq!(ward.numerics(&payload).await, want, "{payload}");
    }
    let want = ["readings", "duplicate", "readings", "readings", "duplicate", "readings"];
    assert_eq!(ward.journalled(), want);
    let counts = ward.door.counts();
    assert_eq!((counts.stored, counts.duplicates, counts.samples), (4, 2, 4));
}

#[tokio::test]
async fn what_cannot_be_understood_is_kept_whole() {
    let ward = Ward::new();
    let wave = "wave/MDC_ECG_ELEC_POTL_II";
    for (leaf, payload, want) in [
        ("num", "not JSON", "dead: senml:"),
        ("num", "[]", "dead: senml:"),
        (wave, "\u{0}", "dead: wave:"),
        ("nowhere", "x", "dead: topic"),
    ] {
        let got = ward.message(leaf, payload.as_bytes()).await;
        assert!(got.starts_with(want), "{leaf} {payload}: {got}");
    }
    let speaks_for = |device| format!("wl/1/{SITE}/{device}/up/num");
    assert_eq!(ward.topic(&speaks_for(OTHER), b"[]").await, "dead, not yours: topic:not_yours");
    let down = format!("wl/1/{SITE}/{DEVICE}/down/cfg");
    assert_eq!(ward.topic(&down, b"x").await, "dead, not yours: topic:down");
    assert_eq!(ward.journalled(), ["letter"; 6]);
}

#[tokio::test]
async fn an_event_is_kept_as_it_came() {
    let ward = Ward::new();
    assert_eq!(ward.message("event", b"beat 1 2").await, "stored");
    assert_eq!(ward.journalled(), ["upward"]);
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_on_disk_and_it_is_new_when_it_comes_again() {
    let ward = Ward::new();
    ward.disk.set_room(Some(0));
    assert_eq!(ward.numerics(&counted(1, "72")).await, "no answer");
    ward.disk.set_room(None);
    // The journal heals by itself, and then the same message is stored, not called a repeat.
    let mut answer = "no answer".to_owned();
    for _ in 0..1_000_000 {
        answer = ward.numerics(&counted(1, "72")).await;
        if answer != "no answer" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(answer, "stored");
    assert_eq!(ward.journalled(), ["readings"]);
}

#[tokio::test]
async fn whoever_gives_up_waiting_is_settled_all_the_same() {
    // Whether the disk took it in the end, and what its repeat is then.
    for (room, want) in [(None, "repeated"), (Some(0), "stored")] {
        let profile = include_str!("../../../../profiles/bedside-monitor/profile.toml");
        let limits = JournalLimits { segment_len: 1_024, ..JournalLimits::default() };
        let ward = Ward::with(profile, limits);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        ward.disk.hold_syncs();
        // It fills a segment, and keeps the writer busy until syncs go on.
        let before = [b'x'; 600];
        let mut before = Box::pin(ward.message("event", &before));
        assert!(before.as_mut().poll(&mut context).is_pending());
        let is_written = |happened: &Happened| matches!(happened, Happened::Wrote { .. });
        while !ward.disk.happened().iter().any(is_written) {
            tokio::task::yield_now().await;
        }
        ward.disk.set_room(room);
        let payload = counted(1, "72");
        let mut taken = Box::pin(ward.numerics(&payload));
        assert!(taken.as_mut().poll(&mut context).is_pending());
        // Its repeat proves nothing as long as the first copy is not on disk.
        let mut again = Box::pin(ward.numerics(&payload));
        assert!(again.as_mut().poll(&mut context).is_pending());
        drop(taken);
        ward.disk.release_syncs();
        let again = again.await;
        assert_ne!(again, "stored", "nobody has settled the first copy yet");
        assert_eq!(before.await, "stored");
        assert_eq!(ward.journalled().contains(&"readings"), room.is_none());
        ward.disk.set_room(None);
        let mut answer = String::new();
        for _ in 0..1_000_000 {
            answer = ward.numerics(&payload).await;
            if answer == want {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(answer, want, "{again}");
        assert!(ward.journalled().contains(&"readings"));
    }
}

#[tokio::test]
async fn whoever_asks_over_https_waits_for_room_before_anything_is_admitted() {
    let profile = include_str!("../../../../profiles/bedside-monitor/profile.toml");
    let limits = JournalLimits { queue_groups_max: 4, ..JournalLimits::default() };
    let ward = Ward::with(profile, limits);
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    ward.disk.hold_syncs();
    let note = || ward.door.remark(Timestamp::default(), &Body::MqttNote(MqttNote::SnapshotBegan));
    let mut notes = vec![note()];
    while ward.journal.status().queue_groups > 0 {
        tokio::task::yield_now().await;
    }
    notes.extend([note(), note()]);
    let payload = counted(1, "72");
    let mut given_up = Box::pin(ward.numerics(&payload));
    assert!(given_up.as_mut().poll(&mut context).is_pending());
    let body = format!("vitals hr=72 {}", 1_767_258_000_000_i64);
    let mut lines = Box::pin(ward.lines(&body));
    assert!(lines.as_mut().poll(&mut context).is_pending());
    assert_eq!(ward.journal.status().queue_groups, 2, "nothing came to those that wait");
    // Who gives up leaves nothing behind, and who waits is served.
    drop(given_up);
    ward.disk.release_syncs();
    assert_eq!(lines.await.unwrap().samples, 1);
    assert_eq!(ward.numerics(&payload).await, "stored");
    for note in notes {
        note.await.unwrap();
    }
}

#[tokio::test]
async fn a_foreign_topic_is_kept_whole_for_whoever_is_granted_it() {
    let ward = Ward::with_profile(include_str!("../../../../profiles/gateway/profile.toml"));
    for (topic, want) in [
        ("zigbee2mqtt/lamp", "stored"),
        ("zigbee2mqtt/bridge/devices", "stored"),
        ("vendor/lamp", "dead: topic"),
        ("wl/2/x", "dead: topic"),
    ] {
        assert_eq!(ward.topic(topic, b"\0any bytes").await, want, "{topic}");
    }
    assert_eq!(ward.journalled(), ["upward", "upward", "letter", "letter"]);
    let monitor = Ward::new();
    assert_eq!(monitor.topic("zigbee2mqtt/lamp", b"x").await, "dead: topic");
}

#[tokio::test]
async fn a_repeat_is_a_repeat_after_a_restart() {
    let ward = Ward::new();
    assert_eq!(ward.numerics(&counted(7, "72")).await, "stored");
    let again = Ward::new();
    for record in ward.journal.replay(LogOffset::default()) {
        let frame = record.unwrap().frame;
        again.door.recall(&Body::decode(frame.kind, frame.body_version, &frame.body).unwrap());
    }
    assert_eq!(again.numerics(&counted(7, "72")).await, "repeated");
    assert_eq!(again.numerics(&counted(8, "72")).await, "stored");
}
