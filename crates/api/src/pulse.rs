//! The program writes down how it did, once a minute, so that its history outlives it and a
//! stop shows as a gap.

use std::sync::Arc;

use model::OrgId;
use record::{Actor, Pulse, Wish};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Api, limits::PULSE_EVERY};

/// Notes a pulse at once and then every minute, until [`Api::stop`].
///
/// One that cannot be recorded is left out: the gap then says that nothing was recorded.
pub async fn keep_pulse(api: Arc<Api>, org: OrgId) {
    let mut every = interval(PULSE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = api.stopping();
    let mut before = Seen::of(&api);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now = Seen::of(&api);
        let pulse = pulse(&api, &before, &now);
        before = now;
        let noted = api.ask_as(Actor::System, org, org.into(), Wish::NotePulse(pulse)).await;
        if let Err(problem) = noted {
            tracing::warn!(why = %problem.for_caller, "pulse_not_noted");
        }
    }
}

/// The counters at one moment.
struct Seen {
    elapsed_ms: u64,
    messages: u64,
    readings: u64,
}

impl Seen {
    fn of(api: &Api) -> Self {
        let engine = api.engine.status();
        let elapsed_ms = u64::try_from(api.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        Self { elapsed_ms, messages: engine.stored, readings: engine.readings }
    }
}

fn pulse(api: &Api, before: &Seen, now: &Seen) -> Pulse {
    let (engine, journal) = (api.engine.status(), api.journal.status());
    let span_ms = now.elapsed_ms.saturating_sub(before.elapsed_ms);
    let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let connections = api.mqtt.as_ref().map_or(0, |mqtt| mqtt.counters().connections);
    Pulse {
        messages_per_ks: per_ks(now.messages.saturating_sub(before.messages), span_ms),
        readings_per_ks: per_ks(now.readings.saturating_sub(before.readings), span_ms),
        durable_p99_us: micros(engine.receive_to_engine.p99),
        decided_p99_us: micros(engine.receive_to_decided.p99),
        journal_bytes: journal.end.bytes(),
        connections: u64::try_from(connections).unwrap_or(u64::MAX),
        started_at: engine.started_at,
    }
}

/// How many in a thousand seconds, from a count in a span; none in no time.
const fn per_ks(count: u64, span_ms: u64) -> u64 {
    match count.saturating_mul(1_000_000).checked_div(span_ms) {
        Some(rate) => rate,
        None => 0,
    }
}

#[test]
fn a_rate_is_of_its_span() {
    assert_eq!(per_ks(60, 60_000), 1_000);
    assert_eq!(per_ks(1, 3_000), 333);
    assert_eq!(per_ks(5, 0), 0);
}
