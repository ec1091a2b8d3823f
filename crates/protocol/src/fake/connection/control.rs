//! The actions of a [`Transport`](crate::Transport) handle on a fake connection.

use bytes::Bytes;
use procession_core::WriteError;

use super::engine::Engine;
use crate::Address;
use crate::transport_control::{Producers, TransportControl};

impl TransportControl for Engine {
    fn write(&self, mut data: Bytes) -> Result<(), WriteError> {
        // Refused data stay in `data`, and are dropped after the borrow.
        self.state.with(|state| state.wire.queue()?.on_write_from(&mut data))
    }

    fn write_buffered(&self) -> usize {
        self.state.with(|state| state.wire.buffered())
    }

    fn set_write_limits(&self, high: usize, low: usize) -> Result<(), WriteError> {
        self.state.with(|state| {
            state.wire.queue()?.set_limits(high, low);
            Ok(())
        })
    }

    fn write_limits(&self) -> Option<(usize, usize)> {
        self.state.with(|state| Some(state.wire.queue().ok()?.limits()))
    }

    fn set_write_hard_limit(&self, max: Option<usize>) -> Result<(), WriteError> {
        self.state.with(|state| {
            state.wire.queue()?.set_hard_limit(max);
            Ok(())
        })
    }

    fn lose_connection(&self) {
        self.state.with(|state| {
            if state.lifecycle.on_close_asked() {
                state.wire.on_end_asked();
            }
        });
    }

    fn abort_connection(&self) {
        self.change(|state, spent| {
            spent.extend(state.lifecycle.on_abort());
            state.meet(spent);
        });
    }

    fn shutdown_write(&self) {
        self.state.with(|state| {
            if state.lifecycle.on_shutdown_asked() {
                state.wire.on_end_asked();
            }
        });
    }

    fn hold_open(&self, held: bool) {
        self.state.with(|state| {
            state.lifecycle.on_held(held);
            state.wire.hold_open(held);
        });
    }

    fn producers(&self) -> Option<&Producers> {
        Some(self.slot.producers())
    }

    fn pause(&self) {
        self.state.with(|state| state.lifecycle.on_paused());
    }

    fn resume(&self) {
        self.state.with(|state| state.lifecycle.on_resumed());
    }

    fn peer(&self) -> Address {
        self.peer.clone()
    }

    fn host(&self) -> Address {
        self.host.clone()
    }
}
