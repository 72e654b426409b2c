//! Sealed objects of a backup: named by what is in them, and readable with one key only.
//!
//! The name is a keyed hash of the content, so that the same content is stored once and a
//! name tells nothing. It is also the nonce: two objects share one only if they are the same.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};

/// What the text of a key file begins with.
const KEY_BEGINS: &str = "wardline-backup-key-1 ";
/// What every sealed object begins with.
const MAGIC: [u8; 4] = *b"WLB1";

/// The key of a backup folder; without it nothing there can be read.
pub struct BackupKey {
    seal: LessSafeKey,
    name: hmac::Key,
    id: [u8; 8],
}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupKey(‹redacted›)")
    }
}

/// A keyed hash of an object's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName([u8; 32]);

/// Why an object or a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum SealingError {
    #[error(
        "this is no backup key; one begins with `wardline-backup-key-1` and has 64 hexadecimal digits"
    )]
    NoKey,
    #[error("the object was changed or cut short, or was sealed with another key")]
    Damaged,
    #[error("the object could not be sealed")]
    NotSealed,
}

impl ObjectName {
    /// 64 hexadecimal digits.
    pub fn text(&self) -> String {
        hex(&self.0)
    }

    /// Reads what [`Self::text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

impl BackupKey {
    /// A key out of 32 secret bytes.
    pub fn of(secret: &[u8; 32]) -> Result<Self, SealingError> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let seal = UnboundKey::new(&AES_256_GCM, derive("wardline backup 1 seal").as_ref());
        let seal = LessSafeKey::new(seal.map_err(|_| SealingError::NoKey)?);
        let name = hmac::Key::new(hmac::HMAC_SHA256, derive("wardline backup 1 name").as_ref());
        let id = derive("wardline backup 1 id");
        let id = id.as_ref().first_chunk().copied().ok_or(SealingError::NoKey)?;
        Ok(Self { seal, name, id })
    }

    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Self, SealingError> {
        let digits = text.trim().strip_prefix(KEY_BEGINS).ok_or(SealingError::NoKey)?;
        Self::of(&unhex(digits.trim()).ok_or(SealingError::NoKey)?)
    }

    /// The text of a key file with this secret.
    pub fn text_of(secret: &[u8; 32]) -> String {
        format!("{KEY_BEGINS}{}\n", hex(secret))
    }

    /// Names the key without telling it: 16 hexadecimal digits.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    /// The name under which this content is kept.
    pub fn name_of(&self, content: &[u8]) -> ObjectName {
        let tag = hmac::sign(&self.name, content);
        ObjectName(tag.as_ref().first_chunk().copied().unwrap_or_default())
    }

    /// The content, sealed; its length is that of the content and 20 bytes.
    pub fn seal(&self, name: ObjectName, content: &[u8]) -> Result<Vec<u8>, SealingError> {
        let mut sealed = content.to_vec();
        let nonce = nonce_of(name)?;
        let tag = self.seal.seal_in_place_separate_tag(nonce, Aad::from(name.0), &mut sealed);
        let tag = tag.map_err(|_| SealingError::NotSealed)?;
        Ok([&MAGIC[..], &sealed, tag.as_ref()].concat())
    }

    /// The content of a sealed object, which must be the one that its name says.
    pub fn open(&self, name: ObjectName, sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
        let body = sealed.strip_prefix(&MAGIC).ok_or(SealingError::Damaged)?;
        let mut body = body.to_vec();
        let opened = self.seal.open_in_place(nonce_of(name)?, Aad::from(name.0), &mut body);
        let content = opened.map_err(|_| SealingError::Damaged)?.to_vec();
        if self.name_of(&content) == name { Ok(content) } else { Err(SealingError::Damaged) }
    }
}

/// How much longer a sealed object is than its content, in bytes.
pub const SEALING_LEN: u64 = 20;

fn nonce_of(name: ObjectName) -> Result<Nonce, SealingError> {
    let nonce: Option<&[u8; NONCE_LEN]> = name.0.first_chunk();
    nonce.map(|it| Nonce::assume_unique_for_key(*it)).ok_or(SealingError::NotSealed)
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Thirty-two bytes of their 64 hexadecimal digits.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (to, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *to = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(secret: u8) -> BackupKey {
        BackupKey::of(&[secret; 32]).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened_and_no_flipped_bit_passes(
            content in proptest::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let key = key(1);
            let name = key.name_of(&content);
            let sealed = key.seal(name, &content).unwrap();
            prop_assert_eq!(sealed.len() as u64, content.len() as u64 + SEALING_LEN);
            prop_assert_eq!(key.open(name, &sealed).unwrap(), &content[..]);
            let mut flipped = sealed.clone();
            flipped[at.index(sealed.len())] ^= 1 << bit;
            prop_assert_eq!(key.open(name, &flipped), Err(SealingError::Damaged));
            prop_assert_eq!(key.open(name, &sealed[..at.index(sealed.len())]), Err(SealingError::Damaged));
            prop_assert_eq!(super::tests::key(2).open(name, &sealed), Err(SealingError::Damaged));
            let other = key.name_of(&flipped);
            prop_assert_eq!(key.open(other, &sealed), Err(SealingError::Damaged));
            prop_assert_eq!(ObjectName::parse(&name.text()), Some(name));
        }
    }

    #[test]
    fn a_key_file_is_read_and_anything_else_refused() {
        let text = BackupKey::text_of(&[0xab; 32]);
        assert!(text.starts_with("wardline-backup-key-1 abab") && text.ends_with("ab\n"), "{text}");
        let content = b"a ward's day";
        let (one, other) = (BackupKey::parse(&text).unwrap(), BackupKey::of(&[0xab; 32]).unwrap());
        assert_eq!((one.name_of(content), one.id()), (other.name_of(content), other.id()));
        for bad in [
            "",
            "wardline-backup-key-1 ab",
            &text.replace("-1 ", "-2 "),
            &text.replace("ab\n", "g!\n"),
        ] {
            assert_eq!(BackupKey::parse(bad).unwrap_err(), SealingError::NoKey, "{bad}");
        }
        assert_ne!(key(1).id(), key(2).id());
        assert_ne!(key(1).name_of(content), key(2).name_of(content));
    }

    #[test]
    fn sealed_bytes_are_the_same_for_ever() {
        let key = BackupKey::of(&[7; 32]).unwrap();
        let name = key.name_of(b"ward");
        let golden = format!("{} {}", name.text(), hex(&key.seal(name, b"ward").unwrap()));
        assert_eq!(golden, GOLDEN);
    }

    const GOLDEN: &str = "167741904c7b8abdd719628b0f4072ef49310c77bcdd1629f608c9c6defda049 \
        574c42316672b412d40f1ae336429e6921c99e98235aa696";
}
