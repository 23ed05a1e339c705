//! A bounded list of frames.

/// Frames taken together from a device; its capacity is fixed when it is made.
#[derive(Debug)]
pub struct Batch<F> {
    frames: Vec<F>,
    capacity: usize,
}

impl<F> Batch<F> {
    /// An empty batch for at most `capacity` frames.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            frames: Vec::with_capacity(capacity),
            capacity,
        }
    }

    /// How many more frames fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.frames.len())
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// [`Full`](crate::Full), with the frame, when there is no room.
    pub fn push(&mut self, frame: F) -> Result<(), crate::Full<F>> {
        if self.room() == 0 {
            return Err(crate::Full(frame));
        }
        self.frames.push(frame);
        Ok(())
    }

    /// The frames, oldest first.
    #[must_use]
    pub fn frames(&self) -> &[F] {
        &self.frames
    }

    /// Takes all frames out, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = F> + '_ {
        self.frames.drain(..)
    }

    /// How many frames it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}
