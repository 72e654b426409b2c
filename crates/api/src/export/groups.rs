//! Which tracks go into one file: those of one device that began, broke off and ended
//! together at one rate, as the leads of an ECG do.

use super::tracks::Track;

/// The tracks of an export by where they go.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Each of these becomes one record or file of several signals.
    pub(super) alike: Vec<Vec<Track>>,
    /// Those with counts of more than 16 bits, and all of them where waveforms are a table.
    pub(super) wide: Vec<Track>,
    /// Those that are written already.
    read: Vec<Track>,
}

impl Groups {
    /// Narrow tracks by who goes with whom, the wide ones apart.
    pub(super) fn of(tracks: Vec<Track>) -> Self {
        let mut groups = Self::default();
        for track in tracks {
            if !track.is_narrow {
                groups.wide.push(track);
                continue;
            }
            let fits = |group: &&mut Vec<Track>| {
                group.first().is_some_and(|first| is_alike(first, &track))
                    && group.iter().all(|it| it.source.channel != track.source.channel)
            };
            match groups.alike.iter_mut().find(fits) {
                Some(group) => group.push(track),
                None => groups.alike.push(vec![track]),
            }
        }
        groups
    }

    /// All of them for a table.
    pub(super) fn with_wide(mut self, tracks: Vec<Track>) -> Self {
        self.wide = tracks;
        self
    }

    /// Those that are written already.
    pub(super) fn with_read(mut self, tracks: Vec<Track>) -> Self {
        self.read = tracks;
        self
    }

    /// Every track.
    pub(super) fn all(&self) -> impl Iterator<Item = &Track> {
        self.alike.iter().flatten().chain(&self.wide).chain(&self.read)
    }
}

fn is_alike(one: &Track, other: &Track) -> bool {
    let of = |it: &Track| (it.source.patient, it.source.device, it.source.rate_hz);
    let times = |it: &Track| -> Vec<_> { it.runs.iter().map(|run| (run.at, run.len)).collect() };
    of(one) == of(other) && times(one) == times(other)
}
