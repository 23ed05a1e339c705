//! Who looks at the frames of a worker as they come and go: a capture.

use std::any::Any;

use crate::limits::TAPS;

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Received from the link.
    In,
    /// Handed to the device to be sent.
    Out,
}

/// Sees every frame that a device of the worker has received or is to send. Nothing here may block
/// or allocate.
pub trait Tap: Any + Send {
    /// Frames are about to be seen, one right after the other.
    fn begin(&mut self) {}

    /// A frame of the device at `device`, in the order in which they were attached.
    fn see(&mut self, device: usize, direction: Direction, frame: &[u8]);
}

/// The taps of a worker.
#[derive(Default)]
pub struct Taps(Vec<Box<dyn Tap>>);

impl Taps {
    /// Has `tap` see frames from now on.
    ///
    /// # Errors
    /// There are [`TAPS`] already; it comes back.
    pub fn add(&mut self, tap: Box<dyn Tap>) -> Result<(), Box<dyn Tap>> {
        if self.0.len() >= TAPS {
            return Err(tap);
        }
        self.0.push(tap);
        Ok(())
    }

    /// The tap of this type that `is_meant` picks.
    pub fn find<T: Tap>(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.0.iter_mut().find_map(|tap| {
            let tap: &mut dyn Any = tap.as_mut();
            tap.downcast_mut().filter(|tap| is_meant(tap))
        })
    }

    /// Has the tap of this type that `is_meant` picks see no more, and gives it back.
    pub fn remove<T: Tap>(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<Box<dyn Tap>> {
        let at = self.0.iter().position(|tap| {
            let tap: &dyn Any = tap.as_ref();
            tap.downcast_ref().is_some_and(&is_meant)
        })?;
        Some(self.0.swap_remove(at))
    }

    /// Frames are about to come or go, one right after the other.
    pub(crate) fn begin(&mut self) {
        for tap in &mut self.0 {
            tap.begin();
        }
    }

    /// One branch when nobody looks.
    pub(crate) fn see(&mut self, device: usize, direction: Direction, frame: &[u8]) {
        if !self.0.is_empty() {
            self.show(device, direction, frame);
        }
    }

    #[cold]
    fn show(&mut self, device: usize, direction: Direction, frame: &[u8]) {
        for tap in &mut self.0 {
            tap.see(device, direction, frame);
        }
    }
}

impl std::fmt::Debug for Taps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taps({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter {
        number: u32,
        seen: usize,
    }

    impl Tap for Counter {
        fn see(&mut self, _: usize, _: Direction, frame: &[u8]) {
            self.seen += frame.len();
        }
    }

    const fn counter(number: u32) -> Counter {
        Counter { number, seen: 0 }
    }

    #[test]
    fn each_tap_sees_every_frame_until_it_is_removed() {
        let mut taps = Taps::default();
        let meant = |number| move |tap: &Counter| tap.number == number;
        taps.see(0, Direction::In, b"nobody looks");
        for number in 1..=2 {
            assert!(taps.add(Box::new(counter(number))).is_ok());
        }
        taps.see(0, Direction::In, b"both");
        assert!(taps.remove(meant(1)).is_some());
        assert!(taps.remove(meant(1)).is_none());
        taps.see(0, Direction::Out, b"one");
        assert!(taps.find(meant(1)).is_none());
        assert_eq!(taps.find(meant(2)).map(|tap| tap.seen), Some(7));
    }

    #[test]
    fn one_too_many_comes_back() {
        let mut taps = Taps::default();
        for number in 0..TAPS as u32 {
            assert!(taps.add(Box::new(counter(number))).is_ok());
        }
        assert!(taps.add(Box::new(counter(99))).is_err());
    }
}
