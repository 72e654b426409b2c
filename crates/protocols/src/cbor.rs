//! The CBOR that we send: shortest heads, definite lengths (RFC 8949, section 4.2).

/// Appends items to a buffer; the caller keeps keys in their order.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(0x00, value),
            Err(_) => self.head(0x20, (!value).unsigned_abs()),
        }
    }

    pub(crate) fn uint(&mut self, value: u64) {
        self.head(0x00, value);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(0x40, len(bytes.len()));
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(0x60, len(text.len()));
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn array(&mut self, items: usize) {
        self.head(0x80, len(items));
    }

    pub(crate) fn map(&mut self, entries: usize) {
        self.head(0xa0, len(entries));
    }

    /// A decimal number without rounding: an integer, or a decimal fraction (tag 4).
    pub(crate) fn decimal(&mut self, mantissa: i64, exp10: i8) {
        if exp10 == 0 {
            return self.int(mantissa);
        }
        self.head(0xc0, 4);
        self.array(2);
        self.int(i64::from(exp10));
        self.int(mantissa);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.push(if value { 0xf5 } else { 0xf4 });
    }

    fn head(&mut self, major: u8, value: u64) {
        let bytes = value.to_be_bytes();
        let [.., b3, b2, b1, b0] = bytes;
        match value {
            0..=0x17 => self.0.push(major | b0),
            0x18..=0xff => self.0.extend_from_slice(&[major | 0x18, b0]),
            0x100..=0xffff => self.0.extend_from_slice(&[major | 0x19, b1, b0]),
            0x1_0000..=0xffff_ffff => {
                self.0.extend_from_slice(&[major | 0x1a, b3, b2, b1, b0]);
            }
            _ => {
                self.0.push(major | 0x1b);
                self.0.extend_from_slice(&bytes);
            }
        }
    }
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
