//! Writes the map of a block, keys ascending, what is not there left out.

use super::{Block, Doubt, Encoding, Epoch};
use crate::cbor::Writer;

pub(super) fn encode(block: &Block<'_>) -> Vec<u8> {
    let optional = [
        block.lead.is_some(),
        !block.validity.is_empty(),
        block.filters.is_some(),
        block.time_quality.is_some(),
        block.now.is_some(),
    ];
    let optional = optional.into_iter().filter(|there| *there).count();
    let mut w = Writer(Vec::with_capacity(block.samples.len().saturating_add(192)));
    w.map(optional.saturating_add(16));
    head(&mut w, block);
    w.int(15);
    w.bytes(block.samples);
    if !block.validity.is_empty() {
        w.int(16);
        w.array(block.validity.len());
        for span in &block.validity {
            w.array(3);
            w.uint(span.start.into());
            w.uint(span.len.into());
            w.uint(match span.reason {
                Doubt::LeadOff => 1,
                Doubt::Saturated => 2,
                Doubt::Artefact => 3,
                Doubt::Pacing => 4,
                Doubt::Gap => 5,
            });
        }
    }
    if let Some(filters) = block.filters {
        w.int(17);
        w.text(filters);
    }
    if let Some(quality) = block.time_quality {
        w.int(18);
        w.array(2);
        w.bool(quality.synchronised);
        w.uint(quality.error_ns);
    }
    w.int(19);
    w.uint(crc32c::crc32c(block.samples).into());
    if let Some(now) = block.now {
        w.int(20);
        w.int(now.unix_nanos());
    }
    w.0
}

/// Keys 0 to 14.
fn head(w: &mut Writer, block: &Block<'_>) {
    w.int(0);
    w.uint(1);
    w.int(1);
    w.bytes(&block.device.uuid().to_be_bytes());
    w.int(2);
    w.text(block.channel);
    if let Some(lead) = block.lead {
        w.int(3);
        w.text(lead);
    }
    w.int(4);
    w.uint(block.seq);
    w.int(5);
    w.bytes(&block.boot.to_be_bytes());
    w.int(6);
    w.int(block.t0.unix_nanos());
    w.int(7);
    w.uint(match block.epoch {
        Epoch::Utc => 0,
        Epoch::Uptime => 1,
    });
    w.int(8);
    w.array(2);
    w.uint(block.rate_hz.0.into());
    w.uint(block.rate_hz.1.into());
    w.int(9);
    w.uint(block.count.into());
    w.int(10);
    w.array(2);
    w.int(block.gain.0);
    w.int(block.gain.1.into());
    w.int(11);
    w.int(block.offset.into());
    w.int(12);
    w.text(block.unit);
    w.int(13);
    w.uint(block.bits.into());
    w.int(14);
    w.uint(match block.encoding {
        Encoding::Int16Le => 0,
        Encoding::Int24Le => 1,
        Encoding::DeltaVarint => 2,
        Encoding::Float32Le => 3,
    });
}
