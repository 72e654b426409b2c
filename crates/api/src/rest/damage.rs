//! Damaged chunks of the series, as the system page tells of them.

use model::{DeviceId, OrgId};
use protocols::profile::ChannelSpec;
use store::{DamageState, DamagedChunk};

use crate::{
    Api,
    dto::{
        bed::Named,
        damage::{DamageNow, DamagedNow},
        system::TroubleNow,
        words::{Spelt, time},
    },
    history::label_of,
    limits::DAMAGE_SHOWN_MAX,
};

/// What is damaged of an organization's, and what a person has to do about it; nothing where
/// nothing ever was.
pub(super) async fn damage(api: &Api, org: OrgId) -> (Option<DamageNow>, Option<TroubleNow>) {
    let series = api.series.clone();
    let Ok(Ok(mut chunks)) = tokio::task::spawn_blocking(move || series.damage()).await else {
        return (None, None);
    };
    chunks.retain(|it| it.key.org == org);
    if chunks.is_empty() {
        return (None, None);
    }
    let mended = chunks.iter().filter(|it| it.state == DamageState::Mended).count();
    let is_lost = |it: &&DamagedChunk| matches!(it.state, DamageState::Gone | DamageState::Differs);
    let trouble = trouble(chunks.iter().filter(is_lost).count());
    let standing = chunks.len().saturating_sub(mended);
    chunks.sort_by_key(|it| it.state == DamageState::Mended);
    chunks.truncate(DAMAGE_SHOWN_MAX);
    let directory = api.engine.directory();
    let named = |device: DeviceId| {
        let name = directory.devices.get(&device).map(|it| it.label.clone());
        Named { id: device.to_string(), name: name.unwrap_or_default() }
    };
    let shown = |it: &DamagedChunk| {
        let (device, channel) = (it.key.device, it.key.channel.to_string());
        let known = directory.devices.get(&device).and_then(|it| api.profiles.get(&it.profile));
        let spec = known.and_then(|profile| profile.channel(&channel));
        DamagedNow {
            device: named(device),
            vital: spec.and_then(ChannelSpec::vital).map(|vital| vital.word()),
            label: spec.map_or_else(|| channel.clone(), label_of),
            channel,
            is_waveform: it.is_wave,
            from_ms: it.span.from.unix_millis(),
            to_ms: it.span.to.unix_millis(),
            items: it.items,
            state: word(it.state),
            found_at: time(it.found_at),
            settled_at: it.settled_at.map(time),
        }
    };
    (Some(DamageNow { standing, mended, chunks: chunks.iter().map(shown).collect() }), trouble)
}

const fn word(state: DamageState) -> &'static str {
    match state {
        DamageState::Waits => "waits",
        DamageState::Mended => "mended",
        DamageState::Gone => "gone",
        DamageState::Differs => "differs",
    }
}

fn trouble(lost: usize) -> Option<TroubleNow> {
    let words = format!(
        "{lost} stored stretches are damaged, and this server could not make them again from its journal: charts show a gap there; look after the disk, stop the server and run `wardline store rebuild`, or restore a backup from before"
    );
    (lost > 0).then_some(TroubleNow { code: "stored_damaged", words })
}
