//! All models.

mod answers;
mod places;
mod queues;
mod wake_ups;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::Model;

pub(crate) fn all() -> Vec<Model> {
    [answers::MODELS, wake_ups::MODELS, queues::MODELS, places::MODELS].concat()
}

/// Counts its drops. The count is no atomic of the model, so it adds no orders.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// Returns a value and the count of its drops.
    pub(crate) fn new() -> (Self, Arc<AtomicUsize>) {
        let drops = Arc::<AtomicUsize>::default();
        (Self(Arc::clone(&drops)), drops)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}
