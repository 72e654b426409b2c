//! A device that behaves well while others do not: it must not feel them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    payload::{SENML_JSON, heart_rate},
    server::Server,
    waiting::now,
    ward::Ward,
    wire::{Version, Wire},
};

/// What a good device waits for its acknowledgement at most while others misbehave.
const UNHARMED_WITHIN: Duration = Duration::from_secs(2);
/// Its boot id, which no other device of the tests has.
const BOOT: u64 = 0xc0_ffee;

/// A device that sends heart rates until it is asked how it went.
pub(crate) struct Companion {
    over: Arc<AtomicBool>,
    life: JoinHandle<(u64, Duration)>,
}

impl Companion {
    /// Connects it, on the patient of bed 2.
    pub(crate) fn start(server: &Server, ward: &Ward) -> Self {
        let device = ward.enrol_on("bedside-monitor", "GOOD-1", 1);
        let mut wire = Wire::connect(server, &device, Version::V5);
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let life = thread::spawn(move || {
            let (mut sent, mut worst) = (0, Duration::ZERO);
            while !is_over.load(Relaxed) {
                let (value, began) = (format!("{}", 60 + sent % 40), now());
                let payload = heart_rate(BOOT, sent, &value);
                let answer = wire.told(&device.up("num"), Some(SENML_JSON), &payload);
                assert_eq!(answer.map(|it| it.code), Ok(0), "message {sent} of the good device");
                worst = worst.max(began.elapsed());
                sent += 1;
                thread::sleep(Duration::from_millis(20));
            }
            (sent, worst)
        });
        Self { over, life }
    }

    /// Every message was acknowledged, and none waited long.
    pub(crate) fn ends_unharmed(self) {
        self.over.store(true, Relaxed);
        let Ok((sent, worst)) = self.life.join() else { panic!("the good device was harmed") };
        assert!(sent > 0, "the good device sent nothing");
        assert!(worst < UNHARMED_WITHIN, "the good device waited {worst:?} for an acknowledgement");
    }
}
