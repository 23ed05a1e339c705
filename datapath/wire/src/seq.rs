//! Sequence numbers: RFC 9293 3.4, arithmetic modulo 2^32.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A 32-bit sequence number. It has no order, only a direction: [`before`](Self::before) and
/// [`after`](Self::after) hold for numbers less than 2^31 apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNum(u32);

impl SeqNum {
    /// The sequence number with this value.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// Its value as on the wire.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Whether `self < other` in sequence space.
    #[must_use]
    pub const fn before(self, other: Self) -> bool {
        self.distance_from(other) < 0
    }

    /// Whether `self > other` in sequence space.
    #[must_use]
    pub const fn after(self, other: Self) -> bool {
        self.distance_from(other) > 0
    }

    /// Whether `self <= other` in sequence space.
    #[must_use]
    pub const fn at_or_before(self, other: Self) -> bool {
        self.distance_from(other) <= 0
    }

    /// Whether `self >= other` in sequence space.
    #[must_use]
    pub const fn at_or_after(self, other: Self) -> bool {
        self.distance_from(other) >= 0
    }

    /// Bytes from `origin` to `self`; negative when `self` comes before.
    #[must_use]
    pub const fn distance_from(self, origin: Self) -> i32 {
        self.0.wrapping_sub(origin.0).cast_signed()
    }

    /// Bytes from `origin` to `self`, 0 when `self` comes before.
    #[must_use]
    pub const fn bytes_since(self, origin: Self) -> u32 {
        let distance = self.distance_from(origin);
        if distance < 0 {
            0
        } else {
            distance.cast_unsigned()
        }
    }

    /// The earlier of two.
    #[must_use]
    pub const fn earliest(self, other: Self) -> Self {
        if other.before(self) { other } else { self }
    }

    /// The later of two.
    #[must_use]
    pub const fn latest(self, other: Self) -> Self {
        if other.after(self) { other } else { self }
    }
}

impl Add<u32> for SeqNum {
    type Output = Self;

    fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl AddAssign<u32> for SeqNum {
    fn add_assign(&mut self, bytes: u32) {
        *self = Self(self.0.wrapping_add(bytes));
    }
}

impl Sub<u32> for SeqNum {
    type Output = Self;

    fn sub(self, bytes: u32) -> Self {
        Self(self.0.wrapping_sub(bytes))
    }
}

impl fmt::Debug for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SeqNum;

    #[test]
    fn order_follows_the_shorter_way_around() {
        let before_wrap = SeqNum::new(u32::MAX);
        let after_wrap = before_wrap + 2;
        assert_eq!(after_wrap, SeqNum::new(1));
        assert!(before_wrap.before(after_wrap) && after_wrap.after(before_wrap));
        assert_eq!(after_wrap.distance_from(before_wrap), 2);
        assert_eq!(before_wrap.distance_from(after_wrap), -2);
        assert_eq!(before_wrap.bytes_since(after_wrap), 0);
        assert_eq!(before_wrap.latest(after_wrap), after_wrap);
        assert_eq!(before_wrap.earliest(after_wrap), before_wrap);
    }

    #[test]
    fn a_number_is_neither_before_nor_after_itself() {
        let seq = SeqNum::new(7);
        assert!(!seq.before(seq) && !seq.after(seq));
        assert!(seq.at_or_before(seq) && seq.at_or_after(seq));
    }
}
