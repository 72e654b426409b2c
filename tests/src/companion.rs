//! Devices that behave well while others do not: they must not feel them.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    payload::{SENML_JSON, heart_rate},
    server::Server,
    waiting::{eventually, now},
    ward::{Device, Ward},
    wire::{Version, Wire},
};

/// What a good device waits for its acknowledgement at most while others misbehave.
const UNHARMED_WITHIN: Duration = Duration::from_secs(2);
/// From one message to the next, unless it is over.
const EVERY: Duration = Duration::from_millis(20);
/// Its boot id, which no other device of the tests has.
const BOOT: u64 = 0xc0_ffee;

/// A device that sends heart rates until it is asked how it went.
pub(crate) struct Companion {
    over: mpsc::Sender<()>,
    waits: Arc<Mutex<Vec<Duration>>>,
    life: JoinHandle<()>,
}

impl Companion {
    /// Connects it, on the patient of bed 2.
    pub(crate) fn start(server: &Server, ward: &Ward) -> Self {
        let device = ward.enrol_on("bedside-monitor", "GOOD-1", 1);
        let mut wire = Wire::connect(server, &device, Version::V5);
        let (over, is_over) = mpsc::channel();
        let waits = Arc::<Mutex<Vec<Duration>>>::default();
        let told = Arc::clone(&waits);
        let life = thread::spawn(move || {
            loop {
                let sent = waiting(&told).len() as u64;
                let (value, began) = (format!("{}", 60 + sent % 40), now());
                let payload = heart_rate(BOOT, sent, &value);
                let answer = wire.told(&device.up("num"), Some(SENML_JSON), &payload);
                assert_eq!(answer.map(|it| it.code), Ok(0), "message {sent} of the good device");
                waiting(&told).push(began.elapsed());
                if is_over.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { over, waits, life }
    }

    /// How long each of its messages waited for its acknowledgement so far.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        waiting(&self.waits).clone()
    }

    /// Every message was acknowledged, and none waited long.
    pub(crate) fn ends_unharmed(self) {
        let _ = self.over.send(());
        assert!(self.life.join().is_ok(), "the good device was harmed");
        let worst = waiting(&self.waits).iter().max().copied();
        let worst = worst.unwrap_or_else(|| panic!("the good device sent nothing"));
        assert!(worst < UNHARMED_WITHIN, "the good device waited {worst:?} for an acknowledgement");
    }
}

fn waiting(waits: &Mutex<Vec<Duration>>) -> MutexGuard<'_, Vec<Duration>> {
    waits.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The heart rate above which the racing heart's alarm sounds.
const RACES_ABOVE: u32 = 120;
/// From the reading to its alarm on the list, however busy the program is.
const ALARMED_WITHIN: Duration = Duration::from_secs(5);

/// A device whose patient's heart races now and then: its alarm sounds whatever others do.
pub(crate) struct Racing {
    device: Device,
    wire: Wire,
    sent: u64,
}

impl Racing {
    /// Connects it, on the patient of bed 1.
    pub(crate) fn start(server: &Server, ward: &Ward) -> Self {
        let limits = json!({
            "low": null,
            "high": {
                "limit": RACES_ABOVE, "clears_at": 115, "delay_s": 0, "priority": "medium",
            },
        });
        let path = format!("/api/v1/patients/{}/limits/heart_rate", ward.patients[0]);
        ward.nurse.put(&path, &limits);
        let device = ward.enrol_on("bedside-monitor", "RACING-1", 0);
        let wire = Wire::connect(server, &device, Version::V5);
        Self { device, wire, sent: 0 }
    }

    fn says(&mut self, value: &str) {
        self.sent += 1;
        let payload = heart_rate(BOOT, self.sent, value);
        let answer = self.wire.told(&self.device.up("num"), Some(SENML_JSON), &payload);
        assert_eq!(answer.map(|it| it.code), Ok(0), "message {} of the racing heart", self.sent);
    }

    /// The heart races and an alarm sounds; it calms down and the alarm is over.
    pub(crate) fn is_alarmed(&mut self, ward: &Ward) {
        for (value, sounds) in [("150", true), ("80", false)] {
            self.says(value);
            let what = format!("with a heart rate of {value}, the alarm sounds: {sounds}");
            eventually(&what, ALARMED_WITHIN, || {
                let alarms = ward.nurse.all("/api/v1/alarms?scope=all&state=standing");
                let is_ours =
                    |alarm: &Value| alarm["class"] == "physiological" && alarm["state"] == "active";
                let found = alarms.iter().any(is_ours);
                if found == sounds { Ok(()) } else { Err(json!(alarms).to_string()) }
            });
        }
    }
}
