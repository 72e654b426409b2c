//! Bodies longer than a frame takes, as numbered parts that stand in one group.

use crate::{BODY_LEN_MAX, Body, Part};

/// Room for the head of a part, which is far less.
const PART_LEN_MAX: usize = BODY_LEN_MAX - 64;

/// Why parts are not a whole body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum PartsError {
    #[error("there are no parts")]
    None,
    #[error("part {expected} of {of} is not there")]
    Gap { expected: u32, of: u32 },
    #[error("part {number} belongs to another body")]
    Mixed { number: u32 },
}

/// The frames' kinds, versions and bodies: the body itself, or its parts in order.
pub fn split_parts(kind: u16, body_version: u8, body: Vec<u8>) -> Vec<(u16, u8, Vec<u8>)> {
    if body.len() <= BODY_LEN_MAX {
        return vec![(kind, body_version, body)];
    }
    let chunks = body.chunks(PART_LEN_MAX);
    let of = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let part = |(number, bytes): (u32, &[u8])| {
        Body::Part(Part { kind, body_version, number, of, bytes: bytes.to_vec() }).encode()
    };
    (0..of).zip(chunks).map(part).collect()
}

/// The kind, version and body that the parts of one group make together.
pub fn join_parts(parts: &[Part]) -> Result<(u16, u8, Vec<u8>), PartsError> {
    let first = parts.first().ok_or(PartsError::None)?;
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.bytes.len()).sum());
    for (expected, number) in (0..first.of).enumerate() {
        let part = parts.get(expected);
        let part = part.ok_or(PartsError::Gap { expected: number, of: first.of })?;
        let whose = |part: &Part| (part.kind, part.body_version, part.of);
        if whose(part) != whose(first) {
            return Err(PartsError::Mixed { number: part.number });
        }
        if part.number != number {
            return Err(PartsError::Gap { expected: number, of: first.of });
        }
        body.extend_from_slice(&part.bytes);
    }
    let count = usize::try_from(first.of).unwrap_or(usize::MAX);
    match parts.get(count) {
        Some(extra) => Err(PartsError::Mixed { number: extra.number }),
        None => Ok((first.kind, first.body_version, body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(len: usize) -> Vec<Part> {
        let body: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let frames = split_parts(2, 1, body);
        let part = |(kind, version, bytes): (u16, u8, Vec<u8>)| {
            assert!(bytes.len() <= BODY_LEN_MAX);
            let Ok(Body::Part(part)) = Body::decode(kind, version, &bytes) else { unreachable!() };
            part
        };
        frames.into_iter().map(part).collect()
    }

    #[test]
    fn a_body_is_split_one_byte_over_the_limit_and_joined_again() {
        let short = vec![7; BODY_LEN_MAX];
        assert_eq!(split_parts(2, 1, short.clone()), [(2, 1, short)]);
        for len in [BODY_LEN_MAX + 1, PART_LEN_MAX * 2, PART_LEN_MAX * 2 + 1] {
            let parts = parts(len);
            assert_eq!(parts.len(), len.div_ceil(PART_LEN_MAX));
            let (kind, version, body) = join_parts(&parts).unwrap();
            assert_eq!((kind, version, body.len()), (2, 1, len));
            assert!(body.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at % 251));
        }
    }

    #[test]
    fn parts_that_are_not_one_body_are_named() {
        let whole = parts(PART_LEN_MAX * 2 + 1);
        let check = |parts: &[Part], want: &str| {
            assert_eq!(join_parts(parts).unwrap_err().to_string(), want);
        };
        check(&[], "there are no parts");
        check(&whole[..2], "part 2 of 3 is not there");
        check(&whole[1..], "part 0 of 3 is not there");
        let twice = [&whole[..], &whole[2..]].concat();
        check(&twice, "part 2 belongs to another body");
        let mut other = whole.clone();
        other[1].kind = 3;
        check(&other, "part 1 belongs to another body");
    }
}
