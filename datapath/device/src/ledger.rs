//! Where every frame of a device is.

/// A count of frames by place. A frame that is in no place has leaked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Frames the device was made with.
    pub total: usize,
    /// Frames ready to be allocated or filled.
    pub free: usize,
    /// Frames that wait in the fill ring or already hold a received packet not yet taken.
    pub receiving: usize,
    /// Frames given to [`transmit`](crate::Device::transmit) and not yet completed.
    pub transmitting: usize,
    /// Frames that the user of the device holds.
    pub in_hand: usize,
}

impl Ledger {
    /// Whether every frame is in exactly one place.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.free + self.receiving + self.transmitting + self.in_hand == self.total
    }
}
