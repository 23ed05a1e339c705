//! Values by number, in memory taken once.

/// A bounded set of values, each with a number that is reused after it was removed.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    capacity: usize,
}

impl<T> Slab<T> {
    /// Room for `capacity` values. The memory is reserved now and touched when first used.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let (slots, free) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
        Self {
            slots,
            free,
            capacity,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// One more than the largest number that a value has had.
    pub(crate) fn reach(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    /// The number of the value, or the value back when there is no room.
    pub(crate) fn insert(&mut self, value: T) -> Result<u32, T> {
        if let Some(number) = self.free.pop() {
            self.slots[number as usize] = Some(value);
            return Ok(number);
        }
        if self.slots.len() == self.capacity {
            return Err(value);
        }
        self.slots.push(Some(value));
        Ok(self.slots.len() as u32 - 1)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    /// The value of `number`, and with it the one that it names as `other`, if that is another.
    pub(crate) fn get_with(
        &mut self,
        number: u32,
        other: impl Fn(&T) -> Option<u32>,
    ) -> Option<(&mut T, Option<&mut T>)> {
        let other = other(self.get(number)?).filter(|&other| other != number);
        let Some(other) = other.filter(|&other| other < self.reach()) else {
            return Some((self.get_mut(number)?, None));
        };
        let both = [number as usize, other as usize];
        let [one, other] = self.slots.get_disjoint_mut(both).ok()?;
        Some((one.as_mut()?, other.as_mut()))
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.slots.get_mut(number as usize)?.take();
        if value.is_some() {
            self.free.push(number);
        }
        value
    }

    /// Numbers and values from `from` on, for walking in pieces.
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.slots.iter().enumerate().skip(from as usize);
        slots.filter_map(|(number, slot)| slot.as_ref().map(|value| (number as u32, value)))
    }
}
