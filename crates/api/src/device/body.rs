//! A request's body: bounded in length and time, packed or not.

use std::io::Read as _;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::limits::DEVICE_BODY_WITHIN;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("the body did not come within {} s", DEVICE_BODY_WITHIN.as_secs())]
    TooSlow,
    #[error("the body broke off")]
    BrokeOff,
    #[error("the content encoding is neither gzip nor none")]
    Encoding,
    #[error("the body is not gzip, as its head says")]
    NotGzip,
}

impl BodyError {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BrokeOff | Self::NotGzip => StatusCode::BAD_REQUEST,
            Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// Reads a body of at most `max` bytes, as it came and unpacked.
pub(super) async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, BodyError> {
    let is_packed = is_packed(headers)?;
    let read = timeout(DEVICE_BODY_WITHIN, collect(body, max)).await;
    let bytes = read.map_err(|_| BodyError::TooSlow)??;
    if is_packed { unpack(&bytes, max) } else { Ok(bytes) }
}

/// Collects a body. Of one that is too long as much again is read and thrown away: most
/// clients look for the answer only when all is sent.
async fn collect(mut body: Body, max: usize) -> Result<Bytes, BodyError> {
    let (mut whole, mut len) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::BrokeOff)?.into_data() else { continue };
        len = len.saturating_add(data.len());
        if len <= max {
            whole.extend_from_slice(&data);
        } else if len > max.saturating_mul(2) {
            break;
        } else {
            whole = Vec::new();
        }
    }
    if len > max { Err(BodyError::TooLong { max }) } else { Ok(whole.into()) }
}

fn is_packed(headers: &HeaderMap) -> Result<bool, BodyError> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(false) };
    match encoding.to_str().map(str::trim) {
        Ok(word) if word.eq_ignore_ascii_case("gzip") => Ok(true),
        Ok(word) if word.is_empty() || word.eq_ignore_ascii_case("identity") => Ok(false),
        Ok(_) | Err(_) => Err(BodyError::Encoding),
    }
}

/// Unpacks no more than is allowed, however much there would be.
fn unpack(packed: &[u8], max: usize) -> Result<Bytes, BodyError> {
    let one_more = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(packed).take(one_more).read_to_end(&mut plain);
    let len = read.map_err(|_| BodyError::NotGzip)?;
    if len > max { Err(BodyError::TooLong { max }) } else { Ok(plain.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(len: usize) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&vec![b'x'; len]).unwrap();
        packer.finish().unwrap()
    }

    async fn check(encoding: Option<&str>, body: Vec<u8>, want: Result<usize, BodyError>) {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        }
        let got = read(&headers, Body::from(body), 100).await;
        assert_eq!(got.map(|bytes| bytes.len()), want, "{encoding:?}");
    }

    #[tokio::test]
    async fn a_body_is_bounded_as_it_comes_and_as_it_unpacks() {
        check(None, vec![0; 100], Ok(100)).await;
        check(None, vec![0; 101], Err(BodyError::TooLong { max: 100 })).await;
        check(Some("gzip"), packed(100), Ok(100)).await;
        check(Some("gzip"), packed(101), Err(BodyError::TooLong { max: 100 })).await;
        // A thousand times what is allowed, in a few bytes.
        check(Some("GZIP"), packed(30_000), Err(BodyError::TooLong { max: 100 })).await;
        check(Some("identity"), vec![0; 3], Ok(3)).await;
        check(Some("gzip"), b"plain".to_vec(), Err(BodyError::NotGzip)).await;
        check(Some("gzip"), packed(50)[..20].to_vec(), Err(BodyError::NotGzip)).await;
        check(Some("zstd"), vec![0; 3], Err(BodyError::Encoding)).await;
    }
}
