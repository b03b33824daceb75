//! How much memory the values of a text take.
//!
//! An empty entry of a list is written in two bytes, and its value can be hundreds of bytes large.

/// What the values of any text may take, in bytes.
const MIN: usize = 64 << 20;

/// What they may take for each byte, where the text is long.
const GROWTH: usize = 64;

/// What the values of no text may take.
const MAX: usize = 512 << 20;

/// The memory of values, without that of texts.
#[derive(Debug)]
pub(crate) struct Memory {
    taken: usize,
    limit: usize,
}

impl Memory {
    /// Returns the memory that the values of `text` may take.
    pub fn of(text: &str) -> Self {
        Self { taken: 0, limit: text.len().saturating_mul(GROWTH).clamp(MIN, MAX) }
    }

    /// Counts a value of `bytes`.
    pub fn take(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes);
    }

    /// Returns how many bytes were counted.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Returns how many bytes the values may take.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns whether the values keep to the limit.
    pub fn has_room(&self) -> bool {
        self.taken <= self.limit
    }
}
