//! One journal frame: length, CRC-32C of the rest, then the fields in order,
//! all big-endian. The checksum covers the length too, and is judged first.

use std::fmt;

use model::{Id, IdError, Kind, OrgId, PartitionId, Timestamp};

/// The longest body that is written, and the longest that is believed.
pub const BODY_LEN_MAX: usize = 1 << 20;

const VERSION: u8 = 1;
const FIELDS_LEN: usize = 56;

/// The length of a frame whose body is empty: length, checksum, fields.
pub const FRAME_LEN_MIN: usize = FIELDS_LEN + 8;

/// The place of a frame: cursors, proofs, and effect ids point with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The order that it stands in: a care unit, or a site's `unassigned`.
    pub partition: PartitionId,
    /// Its place in that order.
    pub seq: u64,
}

/// One entry of the journal; `Debug` leaves the body out (invariant I17).
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the body is; kinds are numbered once and never reused.
    pub kind: u16,
    /// The version of that kind's body.
    pub body_version: u8,
    /// Whose data it is.
    pub org: OrgId,
    /// Where it stands.
    pub position: Position,
    /// When it reached us.
    pub received_at: Timestamp,
    /// The key that the body is sealed with; 0 is none.
    pub key_id: u32,
    /// The bytes that the kind's own codec reads.
    pub body: Vec<u8>,
}

/// Why bytes are not a frame, or a frame cannot be bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum FrameError {
    #[error("the frame is cut short, as the last write before a crash may be")]
    Torn,
    #[error("the frame fails its checksum")]
    Damaged,
    #[error("envelope version {found} is not known; this program reads up to {VERSION}")]
    UnknownVersion { found: u8 },
    #[error("a body of {len} bytes is longer than {BODY_LEN_MAX} bytes")]
    TooLong { len: usize },
    #[error("the frame is sound and its id is not")]
    Id(#[source] IdError),
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("kind", &self.kind)
            .field("body_version", &self.body_version)
            .field("org", &self.org)
            .field("position", &self.position)
            .field("received_at", &self.received_at)
            .field("key_id", &self.key_id)
            .field("body_len", &self.body.len())
            .finish()
    }
}

/// All fields of a frame but its body; encodes straight from what its writer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the body is; kinds are numbered once and never reused.
    pub kind: u16,
    /// The version of that kind's body.
    pub body_version: u8,
    /// Whose data it is.
    pub org: OrgId,
    /// Where it stands.
    pub position: Position,
    /// When it reached us.
    pub received_at: Timestamp,
    /// The key that the body is sealed with; 0 is none.
    pub key_id: u32,
}

impl Envelope {
    /// Appends the frame of this envelope and `body` to `out`, or leaves `out` as it was.
    pub fn encode(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        let too_long = FrameError::TooLong { len: body.len() };
        let len = u32::try_from(body.len().saturating_add(FIELDS_LEN));
        let (true, Ok(len)) = (body.len() <= BODY_LEN_MAX, len) else { return Err(too_long) };
        let len = len.to_be_bytes();
        out.reserve(body.len().saturating_add(FRAME_LEN_MIN));
        out.extend_from_slice(&len);
        let crc_at = out.len();
        out.extend_from_slice(&[0; 4]);
        let fields_at = out.len();
        out.extend_from_slice(&[VERSION]);
        out.extend_from_slice(&self.kind.to_be_bytes());
        out.extend_from_slice(&[self.body_version]);
        out.extend_from_slice(&self.org.uuid().to_be_bytes());
        out.extend_from_slice(&self.position.partition.uuid().to_be_bytes());
        out.extend_from_slice(&self.position.seq.to_be_bytes());
        out.extend_from_slice(&self.received_at.unix_nanos().to_be_bytes());
        out.extend_from_slice(&self.key_id.to_be_bytes());
        out.extend_from_slice(body);
        let crc = checksum(&len, out.get(fields_at..).unwrap_or_default());
        if let Some(place) = out.get_mut(crc_at..fields_at) {
            place.copy_from_slice(&crc);
        }
        Ok(())
    }
}

/// A frame that still lies in the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// All fields but the body.
    pub envelope: Envelope,
    body: Hidden<'a>,
}

/// A body that `Debug` does not print (invariant I17).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hidden<'a>(&'a [u8]);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<'a> FrameRef<'a> {
    /// The bytes that the kind's own codec reads.
    pub const fn body(&self) -> &'a [u8] {
        self.body.0
    }

    /// The frame that this one stands for: the same place, with another body.
    pub const fn standing_for(&self, kind: u16, body_version: u8, body: &'a [u8]) -> Self {
        let envelope = Envelope { kind, body_version, ..self.envelope };
        Self { envelope, body: Hidden(body) }
    }

    /// How many bytes the whole frame takes.
    pub const fn len(&self) -> usize {
        self.body.0.len().saturating_add(FRAME_LEN_MIN)
    }

    /// Never: a frame has at least its envelope.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Takes the first frame off `bytes` without copying; on an error `bytes` stays where it was.
    ///
    /// A torn frame is expected at the end of the newest segment, and nowhere else.
    pub fn decode(bytes: &mut &'a [u8]) -> Result<Self, FrameError> {
        let mut at = *bytes;
        let len = take::<4>(&mut at)?;
        let crc = take::<4>(&mut at)?;
        let fields_len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        if fields_len > BODY_LEN_MAX.saturating_add(FIELDS_LEN) {
            return Err(FrameError::Damaged);
        }
        let (mut fields, rest) = at.split_at_checked(fields_len).ok_or(FrameError::Torn)?;
        if checksum(&len, fields) != crc {
            return Err(FrameError::Damaged);
        }
        let at = &mut fields;
        let found = u8::from_be_bytes(take(at)?);
        if found != VERSION {
            return Err(FrameError::UnknownVersion { found });
        }
        let envelope = Envelope {
            kind: u16::from_be_bytes(take(at)?),
            body_version: u8::from_be_bytes(take(at)?),
            org: take_id(at)?,
            position: Position { partition: take_id(at)?, seq: u64::from_be_bytes(take(at)?) },
            received_at: Timestamp::from_unix_nanos(i64::from_be_bytes(take(at)?)),
            key_id: u32::from_be_bytes(take(at)?),
        };
        let frame = Self { envelope, body: Hidden(at) };
        *bytes = rest;
        Ok(frame)
    }

    /// The frame with a body of its own.
    pub fn to_frame(&self) -> Frame {
        let Envelope { kind, body_version, org, position, received_at, key_id } = self.envelope;
        let body = self.body().to_vec();
        Frame { kind, body_version, org, position, received_at, key_id, body }
    }
}

impl Frame {
    /// All fields but the body.
    pub const fn envelope(&self) -> Envelope {
        let Self { kind, body_version, org, position, received_at, key_id, .. } = *self;
        Envelope { kind, body_version, org, position, received_at, key_id }
    }

    /// Appends the frame to `out`, or leaves `out` as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        self.envelope().encode(&self.body, out)
    }

    /// Takes the first frame off `bytes`; on an error `bytes` stays where it was.
    ///
    /// A torn frame is expected at the end of the newest segment, and nowhere else.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, FrameError> {
        FrameRef::decode(bytes).map(|frame| frame.to_frame())
    }
}

fn take_id<K: Kind>(bytes: &mut &[u8]) -> Result<Id<K>, FrameError> {
    Id::from_uuid(u128::from_be_bytes(take(bytes)?)).map_err(FrameError::Id)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], FrameError> {
    let (head, rest) = bytes.split_first_chunk().ok_or(FrameError::Torn)?;
    *bytes = rest;
    Ok(*head)
}

fn checksum(len: &[u8], fields: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(len), fields).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(seq: u64, body: &[u8]) -> Frame {
        let org = "0192f0c1-2b3a-7c4d-8e5f-00000000000a".parse().unwrap();
        let partition = "0192f0c1-2b3a-7c4d-8e5f-00000000000b".parse().unwrap();
        let received_at = Timestamp::from_unix_nanos(1_700_000_000_000_000_000);
        let (position, body) = (Position { partition, seq }, body.to_vec());
        Frame { kind: 258, body_version: 3, org, position, received_at, key_id: 0, body }
    }

    fn bytes(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        bytes
    }

    /// A frame of version 1 as the first release wrote it. This text never changes.
    const GOLDEN: &str = "
        0000003d 38f2cb1e 01 0102 03
        0192f0c12b3a7c4d8e5f00000000000a 0192f0c12b3a7c4d8e5f00000000000b
        0000000000000007 17979cfe362a0000 00000000 6872203732";

    #[test]
    fn version_1_reads_and_writes_as_it_always_did() {
        let frame = frame(7, b"hr 72");
        let hex: String = bytes(&frame).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN.replace([' ', '\n'], ""));
        assert_eq!(Frame::decode(&mut &bytes(&frame)[..]), Ok(frame));
    }

    #[test]
    fn an_unknown_version_is_refused_by_name() {
        let mut bytes = bytes(&frame(7, b"hr 72"));
        bytes[8] = 9;
        let crc = checksum(&bytes[..4], &bytes[8..]);
        bytes[4..8].copy_from_slice(&crc);
        let error = Frame::decode(&mut &bytes[..]).unwrap_err().to_string();
        assert_eq!(error, "envelope version 9 is not known; this program reads up to 1");
    }

    #[test]
    fn a_body_is_bounded_at_its_limit() {
        let with = |len| frame(7, &vec![0; len]).encode(&mut Vec::new());
        assert_eq!(with(BODY_LEN_MAX), Ok(()));
        assert_eq!(with(BODY_LEN_MAX + 1), Err(FrameError::TooLong { len: BODY_LEN_MAX + 1 }));
        let longest = frame(7, &vec![1; BODY_LEN_MAX]);
        assert_eq!(Frame::decode(&mut &bytes(&longest)[..]), Ok(longest));
        // A length beyond the limit is damage at once: no bytes are waited for.
        let len = u32::try_from(BODY_LEN_MAX + FIELDS_LEN + 1).unwrap();
        let head = [len.to_be_bytes(), [0; 4]].concat();
        assert_eq!(Frame::decode(&mut &head[..]), Err(FrameError::Damaged));
    }

    #[test]
    fn a_body_does_not_reach_a_log_line() {
        let frame = frame(7, b"Ilse Brandt");
        let bytes = bytes(&frame);
        let borrowed = FrameRef::decode(&mut &bytes[..]).unwrap();
        assert_eq!((borrowed.body(), borrowed.len()), (&b"Ilse Brandt"[..], bytes.len()));
        for line in [format!("{frame:?}"), format!("{borrowed:?}")] {
            assert!(line.contains("11") && !line.contains("73, 108"), "{line}");
            assert!(!line.contains("Ilse"), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_torn_tail_costs_only_itself(body: Vec<u8>, cut: prop::sample::Index) {
            let (whole, tail) = (frame(1, &body), bytes(&frame(2, &body)));
            let log = [bytes(&whole), tail[..cut.index(tail.len())].to_vec()].concat();
            let mut rest = &log[..];
            prop_assert_eq!(Frame::decode(&mut rest), Ok(whole));
            prop_assert_eq!(Frame::decode(&mut rest), Err(FrameError::Torn));
        }

        #[test]
        fn a_flipped_bit_never_passes(body: Vec<u8>, byte: prop::sample::Index, bit in 0..8) {
            let mut bytes = bytes(&frame(1, &body));
            let byte = byte.index(bytes.len());
            bytes[byte] ^= 1_u8 << bit;
            prop_assert!(matches!(
                Frame::decode(&mut &bytes[..]),
                Err(FrameError::Damaged | FrameError::Torn)
            ));
        }
    }
}
