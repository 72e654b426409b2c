//! Between admission and the sync: what is pending, and who settles it if nobody waits.
//!
//! A repeat may be answered only when its first copy is known to be durable. A first
//! copy that was lost is forgotten, so that it is new when it comes again.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use model::DeviceId;
use store::{AppendError, Durable, Ticket};

use super::{Admitted, Fate, Keys, Ledger, Memory, Refusal, forget};
use crate::duplicate::Seen;

/// Messages of one device that wait for their sync, by what they are recognised by.
///
/// They are settled nearly in their order, so the first is nearly always the one.
#[derive(Debug, Default)]
pub(super) struct Pending(VecDeque<u64>);

fn print(keys: &Keys) -> Option<u64> {
    if *keys == Keys::None {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    keys.hash(&mut hasher);
    Some(hasher.finish())
}

impl Pending {
    /// Notes a message that is stored for the first time.
    pub(super) fn add(&mut self, fate: &Fate) {
        if let Fate::Stored { keys, .. } = fate {
            self.0.extend(print(keys));
        }
    }

    fn remove(&mut self, keys: &Keys) {
        let Some(print) = print(keys) else { return };
        if let Some(at) = self.0.iter().position(|kept| *kept == print) {
            self.0.remove(at);
        }
    }

    /// Two messages with one print are taken for one: the later is asked for again.
    pub(super) fn holds(&self, keys: &Keys) -> bool {
        print(keys).is_some_and(|print| self.0.contains(&print))
    }
}

/// Whether a message with these keys is remembered as stored.
fn holds(seen: &Seen, keys: &Keys) -> bool {
    match keys {
        Keys::Counted(stream, counted) => seen.holds(stream.as_ref(), *counted),
        Keys::Samples(prints) => prints.iter().all(|print| seen.holds_sample(*print)),
        Keys::None => true,
    }
}

impl Ledger {
    pub(super) fn devices(&self) -> MutexGuard<'_, std::collections::HashMap<DeviceId, Memory>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settle(&self, device: DeviceId, fate: &Fate, durable: bool) -> bool {
        let is_safe = durable && self.is_safe(device, fate);
        match fate {
            Fate::Stored { keys, .. } => {
                if let Some(memory) = self.devices().get_mut(&device) {
                    memory.pending.remove(keys);
                    if !durable {
                        forget(&mut memory.seen, keys);
                    }
                }
            }
            Fate::Repeated { .. } | Fate::Dead { .. } => {}
        }
        let count = match fate {
            _ if !is_safe => &self.counts.unanswered,
            Fate::Stored { samples, .. } => {
                self.counts.samples.fetch_add(*samples, Relaxed);
                &self.counts.stored
            }
            Fate::Repeated { .. } => &self.counts.duplicates,
            Fate::Dead { .. } => &self.counts.dead_letters,
        };
        count.fetch_add(1, Relaxed);
        is_safe
    }

    fn is_safe(&self, device: DeviceId, fate: &Fate) -> bool {
        let Fate::Repeated { keys } = fate else { return true };
        let devices = self.devices();
        let Some(memory) = devices.get(&device) else { return false };
        !memory.pending.holds(keys) && holds(&memory.seen, keys)
    }
}

/// An admitted message that will be settled, whether anybody waits for it or not.
///
/// Whoever waits may give up while the sync is under way, as an HTTP client does that is
/// tired; what it sent is settled all the same, or its repeat would be taken for safe.
pub(super) struct Settling {
    ledger: Arc<Ledger>,
    device: DeviceId,
    waiting: Option<(Ticket, Fate)>,
}

impl Settling {
    pub(super) fn new(ledger: &Arc<Ledger>, admitted: Admitted) -> Self {
        let Admitted { ticket, fate, device } = admitted;
        Self { ledger: Arc::clone(ledger), device, waiting: Some((ticket, fate)) }
    }

    /// Waits for the sync; answers with it, the fate, and whether the message is safe.
    pub(super) async fn done(
        mut self,
    ) -> Result<(Result<Durable, AppendError>, Fate, bool), Refusal> {
        let lost = || Refusal::NotDurable(AppendError::Closed);
        let outcome = match &mut self.waiting {
            Some((ticket, _)) => ticket.await,
            None => return Err(lost()),
        };
        let Some((_, fate)) = self.waiting.take() else { return Err(lost()) };
        let is_safe = self.ledger.settle(self.device, &fate, outcome.is_ok());
        Ok((outcome, fate, is_safe))
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let Some((ticket, fate)) = self.waiting.take() else { return };
        let (ledger, device) = (Arc::clone(&self.ledger), self.device);
        let settle = async move {
            let durable = ticket.await.is_ok();
            ledger.settle(device, &fate, durable);
        };
        // It ends with the sync, which the journal bounds; without a runtime the program ends.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(settle));
        }
    }
}

#[cfg(test)]
mod tests {
    use record::Counted;

    use super::*;

    fn counted(seq: u64) -> Keys {
        Keys::Counted(None, Counted { boot: 1, seq })
    }

    fn device() -> DeviceId {
        "0192f0c1-2b3a-7c4d-8e5f-000000000003".parse().unwrap()
    }

    /// Admits a message as the door does.
    fn admit(ledger: &Ledger, seq: u64) -> Fate {
        let mut devices = ledger.devices();
        let memory = devices.entry(device()).or_default();
        let repeats = memory.seen.repeats(None, Counted { boot: 1, seq });
        let keys = counted(seq);
        let fate =
            if repeats { Fate::Repeated { keys } } else { Fate::Stored { keys, samples: 1 } };
        memory.pending.add(&fate);
        fate
    }

    #[test]
    fn a_repeat_is_safe_only_when_its_first_copy_is() {
        // Whether the first copy was durable, and whether it was settled before the repeat.
        for (durable, first, safe) in
            [(true, true, true), (true, false, false), (false, true, false), (false, false, false)]
        {
            let ledger = Ledger::default();
            let (one, two) = (admit(&ledger, 7), admit(&ledger, 7));
            assert!(matches!(two, Fate::Repeated { .. }));
            let settle = |fate, durable| ledger.settle(device(), fate, durable);
            if first {
                assert_eq!(settle(&one, durable), durable);
            }
            assert_eq!(settle(&two, true), safe, "{durable} {first}");
            if !first {
                settle(&one, durable);
            }
            // What was lost is new when it comes again.
            assert_eq!(matches!(admit(&ledger, 7), Fate::Stored { .. }), !durable);
        }
    }
}
