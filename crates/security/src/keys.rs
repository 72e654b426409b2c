//! The one file that draws randomness: key pairs, serial numbers, tokens.
//!
//! All of it comes from the operating system through the one crypto provider.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

/// A maker of keys and serial numbers; holding one is the right to draw randomness.
#[derive(Clone, Copy, Debug)]
pub struct Keys(());

/// Why there is no key or no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum KeysError {
    #[error("the operating system gave no randomness; nothing secret may be made without it")]
    NoRandomness,
    #[error("a key pair could not be made")]
    NoKey,
}

impl Keys {
    /// Keys out of the operating system's randomness.
    pub const fn system() -> Self {
        Self(())
    }

    /// A fresh ECDSA P-256 key pair.
    pub(crate) fn pair(self) -> Result<KeyPair, KeysError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| KeysError::NoKey)
    }

    /// A serial number of 16 bytes: positive and without a leading zero, so that
    /// each reader of X.509 sees the same bytes.
    pub(crate) fn serial(self) -> Result<[u8; 16], KeysError> {
        let [first, rest @ ..] = random_bytes::<16>()?;
        let mut serial = [0; 16];
        let first = first & 0x7f | 0x40;
        serial.iter_mut().zip([first].into_iter().chain(rest)).for_each(|(to, from)| *to = from);
        Ok(serial)
    }
}

/// `N` bytes from the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], KeysError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeysError::NoRandomness)?;
    Ok(bytes)
}

/// A random number for a new id.
pub fn random_u128() -> Result<u128, KeysError> {
    random_bytes().map(u128::from_be_bytes)
}

#[test]
fn serial_numbers_are_positive_differ_and_have_no_leading_zero() {
    let serials: Vec<_> = (0..200).map(|_| Keys::system().serial().unwrap()).collect();
    assert!(serials.iter().all(|serial| (0x40..0x80).contains(&serial[0])));
    let distinct: std::collections::BTreeSet<_> = serials.iter().collect();
    assert_eq!(distinct.len(), serials.len());
}
