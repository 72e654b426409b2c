//! The byte form in which a detector's state outlives a restart: big-endian fields in a fixed order, nothing else.

/// Why saved state could not be taken up again; the owner starts with fresh state instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Written by another version of the algorithm, whose state means something else.
    #[error("saved state is of version {found}, expected version {expected}")]
    Version {
        /// The version in the bytes.
        found: u16,
        /// The version of this code.
        expected: u16,
    },
    /// Fewer or more bytes than the state has.
    #[error("saved state has {found} bytes, expected {expected}")]
    Length {
        /// The number of bytes given.
        found: usize,
        /// The number of bytes that the state has.
        expected: usize,
    },
    /// A field holds what the algorithm could never have written.
    #[error("saved state holds an impossible {field}")]
    Impossible {
        /// The field's name.
        field: &'static str,
    },
}

/// Takes fields from the front of the bytes of a snapshot whose length was checked.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Checks the version, which comes first, and the length of the whole.
    pub(crate) fn open(
        bytes: &'a [u8],
        version: u16,
        length: usize,
    ) -> Result<Self, SnapshotError> {
        let wrong_length = SnapshotError::Length { found: bytes.len(), expected: length };
        let (head, rest) = bytes.split_first_chunk().ok_or(wrong_length)?;
        let found = u16::from_be_bytes(*head);
        if found != version {
            return Err(SnapshotError::Version { found, expected: version });
        }
        if bytes.len() != length {
            return Err(wrong_length);
        }
        Ok(Self(rest))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let short = SnapshotError::Impossible { field: "length" };
        let (head, rest) = self.0.split_first_chunk().ok_or(short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, SnapshotError> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(SnapshotError::Impossible { field: "flag" }),
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, SnapshotError> {
        self.take().map(u8::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, SnapshotError> {
        self.take().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, SnapshotError> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, SnapshotError> {
        self.take().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, SnapshotError> {
        self.take().map(i64::from_be_bytes)
    }
}
