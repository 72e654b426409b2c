//! Writes CBOR (RFC 8949) with the shortest heads and definite lengths, so that
//! equal values have equal bytes. Writing to memory cannot fail, hence no `Result`.

/// Appends CBOR items to a buffer.
#[derive(Debug)]
pub struct Encoder<'a>(&'a mut Vec<u8>);

const UINT: u8 = 0x00;
const NEGATIVE: u8 = 0x20;
const BYTES: u8 = 0x40;
const TEXT: u8 = 0x60;
const ARRAY: u8 = 0x80;
const MAP: u8 = 0xa0;

impl<'a> Encoder<'a> {
    /// Items are appended to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    /// A number that is not negative.
    pub fn uint(&mut self, value: u64) {
        self.head(UINT, value);
    }

    /// A number with a sign.
    pub fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(UINT, value),
            // CBOR's −1 − n, which is the complement.
            Err(_) => self.head(NEGATIVE, (!value).unsigned_abs()),
        }
    }

    /// A string of bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, len(bytes.len()));
        self.0.extend_from_slice(bytes);
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.head(TEXT, len(text.len()));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// The head of a list; its `items` follow.
    pub fn array(&mut self, items: usize) {
        self.head(ARRAY, len(items));
    }

    /// The head of a map; key and value of each of its `entries` follow, keys ascending.
    pub fn map(&mut self, entries: usize) {
        self.head(MAP, len(entries));
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        self.0.push(if value { 0xf5 } else { 0xf4 });
    }

    /// The absence of a value.
    pub fn null(&mut self) {
        self.0.push(0xf6);
    }

    #[inline]
    fn head(&mut self, major: u8, value: u64) {
        let [.., b3, b2, b1, b0] = value.to_be_bytes();
        match value {
            0..=0x17 => self.0.push(major | b0),
            0x18..=0xff => self.0.extend_from_slice(&[major | 0x18, b0]),
            0x100..=0xffff => self.0.extend_from_slice(&[major | 0x19, b1, b0]),
            0x1_0000..=0xffff_ffff => {
                self.0.extend_from_slice(&[major | 0x1a, b3, b2, b1, b0]);
            }
            _ => {
                self.0.push(major | 0x1b);
                self.0.extend_from_slice(&value.to_be_bytes());
            }
        }
    }
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(write: impl FnOnce(&mut Encoder<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Encoder::new(&mut out));
        out.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn heads_are_the_shortest_at_each_boundary() {
        // The examples of RFC 8949, appendix A, and the values beside each boundary.
        for (value, want) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (255, "18ff"),
            (256, "190100"),
            (65_535, "19ffff"),
            (65_536, "1a00010000"),
            (4_294_967_295, "1affffffff"),
            (4_294_967_296, "1b0000000100000000"),
            (-1, "20"),
            (-24, "37"),
            (-25, "3818"),
            (-1_000, "3903e7"),
            (i64::MIN, "3b7fffffffffffffff"),
        ] {
            assert_eq!(hex(|e| e.int(value)), want, "{value}");
        }
        assert_eq!(hex(|e| e.uint(u64::MAX)), "1bffffffffffffffff");
        assert_eq!(hex(|e| e.bytes(&[1, 2])), "420102");
        assert_eq!(hex(|e| e.text("ü")), "62c3bc");
        assert_eq!(hex(|e| e.array(25)), "9819");
        assert_eq!(hex(|e| e.map(2)), "a2");
        assert_eq!(hex(|e| e.bool(true)) + &hex(|e| e.bool(false)) + &hex(|e| e.null()), "f5f4f6");
    }

    proptest! {
        #[test]
        fn the_decoder_reads_every_number_back(signed: i64, unsigned: u64) {
            let mut out = Vec::new();
            let mut e = Encoder::new(&mut out);
            e.int(signed);
            e.uint(unsigned);
            let mut d = minicbor::Decoder::new(&out);
            prop_assert_eq!(d.i64().unwrap(), signed);
            prop_assert_eq!(d.u64().unwrap(), unsigned);
        }
    }
}
