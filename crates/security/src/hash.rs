//! The one hash: SHA-256, for tokens, artifacts and the audit chain.

/// The SHA-256 of `bytes`, 32 bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    // The digest of this algorithm has 32 bytes, so nothing is cut off.
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// The same hash over what comes piece by piece.
pub struct Sha256(aws_lc_rs::digest::Context);

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// The hash of nothing yet.
    pub fn new() -> Self {
        Self(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }

    /// Goes on with these bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that was added, 32 bytes.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

#[test]
fn a_hash_of_pieces_is_that_of_the_whole() {
    for cut in 0..=5 {
        let (one, other) = b"wards".split_at(cut);
        let mut hash = Sha256::default();
        hash.add(one);
        hash.add(other);
        assert_eq!(hash.finish(), sha256(b"wards"), "{cut}");
    }
}

#[test]
fn the_hash_of_abc_is_the_one_in_the_standard() {
    let hex: String = sha256(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
    // FIPS 180-4, example of SHA-256.
    assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
