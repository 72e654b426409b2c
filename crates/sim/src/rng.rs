//! Chance from a seed: the same seed gives the same ward on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and good enough for noise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// A stream of its own for each (seed, purpose).
    pub const fn new(seed: u64, purpose: u64) -> Self {
        Self(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to 1, without a unit.
    pub fn unit_fraction(&mut self) -> f64 {
        // 53 bits fill a double exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number around 0 with standard deviation 1, near enough to normal (twelve uniforms).
    pub fn normal_fraction(&mut self) -> f64 {
        (0..12).map(|_| self.unit_fraction()).sum::<f64>() - 6.0
    }
}

#[test]
fn a_seed_tells_everything_and_its_noise_is_centred() {
    let draw = |seed| {
        let mut rng = Rng::new(seed, 7);
        (0..4_000).map(|_| rng.normal_fraction()).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let noise = draw(3);
    let mean = noise.iter().sum::<f64>() / noise.len() as f64;
    assert!(mean.abs() < 0.05, "{mean}");
}
