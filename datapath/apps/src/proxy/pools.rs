//! The pools of a worker, by number.

use super::pool::Pool;
use super::settings::PoolId;

/// Pools by number; one that was has its place for ever.
#[derive(Debug, Default)]
pub(super) struct Pools(Vec<Option<Pool>>);

impl Pools {
    pub(super) fn get(&self, id: PoolId) -> Option<&Pool> {
        self.0.get(usize::from(id.0))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: PoolId) -> Option<&mut Pool> {
        self.0.get_mut(usize::from(id.0))?.as_mut()
    }

    /// The place of a pool, which may be empty.
    pub(super) fn place(&mut self, id: PoolId) -> &mut Option<Pool> {
        let at = usize::from(id.0);
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        &mut self.0[at]
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PoolId, &mut Pool)> {
        let places = (0..).map(PoolId).zip(&mut self.0);
        places.filter_map(|(id, pool)| Some((id, pool.as_mut()?)))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PoolId> + use<> {
        (0..self.0.len() as u16).map(PoolId)
    }
}
