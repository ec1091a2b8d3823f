//! The verbs of fake children.

use std::io;

use procession_core::Deferred;
use procession_protocol::{Process, ProcessProtocol};

use crate::adopt_error::AdoptError;
use crate::async_child::Child;
use crate::command::Command;
use crate::error::SpawnError;
use crate::fake_children::FakeChildren;
use crate::pipeline::{Pipeline, RunningPipeline};
use crate::sealed::SealedSpawnProcess;
use crate::spawned::Spawned;
use crate::verbs::SpawnProcess;

impl SealedSpawnProcess for FakeChildren {}

impl SpawnProcess for FakeChildren {
    fn spawn_process(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Result<Process, SpawnError> {
        self.begin(Box::new(protocol), &command.into())
    }

    fn spawn_process_soon(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Deferred<Process, SpawnError> {
        Deferred::ready(self.spawn_process(protocol, command))
    }

    fn adopt(
        &self,
        _: impl ProcessProtocol + 'static,
        spawned: Spawned,
    ) -> Result<Process, AdoptError> {
        let why = "fake children take none that run";
        Err(AdoptError::new(spawned, io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError> {
        self.begin_child(&command.into())
    }

    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError> {
        self.begin_pipeline(pipeline)
    }
}
