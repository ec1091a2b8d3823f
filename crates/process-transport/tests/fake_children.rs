//! `FakeChildren` tests code that starts children, without a process.
#![cfg(feature = "reactor")]

use std::cell::RefCell;
use std::error::Error;
use std::io::ErrorKind;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::Signal;
use procession_process_transport::{
    ChildError, Command, FakeChildren, Fd, Pipeline, SpawnError, SpawnProcess, Step,
};
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Reactor;

/// Collects the output, and starts another child in `connection_made` if `starts` is set.
struct OutputCollector {
    output: Rc<RefCell<Vec<u8>>>,
    starts: Option<FakeChildren>,
}

impl ProcessProtocol for OutputCollector {
    fn connection_made(&mut self, process: &Process) {
        process.write("to the child");
        if let Some(children) = self.starts.take() {
            children.spawn_process(Self::new(), "inner").expect("it is a fake");
        }
    }

    fn child_data_received(&mut self, _: &Process, _: procession_protocol::ChildFd, data: Bytes) {
        self.output.borrow_mut().extend_from_slice(&data);
    }
}

impl OutputCollector {
    fn new() -> Self {
        Self { output: Rc::default(), starts: None }
    }
}

/// Code that is generic over its starter.
fn start_two(children: impl SpawnProcess) -> [Process; 2] {
    let start = || children.spawn_process(OutputCollector::new(), "/bin/true").expect("it starts");
    [start(), start()]
}

#[test]
fn generic_code_takes_a_reactor_a_handle_a_fake_and_references_to_them() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let fakes = FakeChildren::new();
    let all =
        [start_two(&reactor), start_two(&handle), start_two(&fakes), start_two(fakes.clone())];
    for [one, other] in &all {
        assert_ne!(one.pid().unwrap(), other.pid().unwrap());
    }
    for process in all[..2].iter().flatten() {
        reactor.block_on(process.ended()).unwrap().unwrap();
    }
}

#[test]
fn a_test_sees_the_commands_and_plays_each_child() {
    let children = FakeChildren::new();
    let keep = OutputCollector::new();
    let output = Rc::clone(&keep.output);
    let command = Command::new("gpg").child_fd(3, Fd::to_child()).child_fd(4, Fd::from_child());
    let process = children.spawn_process(keep, command.child_fd(5, Fd::socketpair())).unwrap();
    children.spawn_process(OutputCollector::new(), "second").unwrap();
    let (command, mut gpg) = children.take().unwrap();
    assert_eq!(command.get_program(), "gpg");
    assert_eq!(gpg.process(), &process);
    assert_eq!(gpg.written(0), "to the child");
    for fd in [3, 5] {
        process.write_to_child(fd, "x").unwrap();
        assert_eq!(gpg.written(fd), "x");
    }
    for fd in [1, 2, 4, 5] {
        gpg.child_writes(fd, fd.to_string());
    }
    assert_eq!(*output.borrow(), b"1245");
    assert_eq!(children.take().unwrap().0.get_program(), "second");
    assert!(children.take().is_none());
    assert_eq!(children.commands().len(), 2, "children that were taken are listed as well");
}

#[test]
fn a_child_that_is_started_in_connection_made_comes_after_its_starter_in_the_commands() {
    let children = FakeChildren::new();
    let outer = OutputCollector { starts: Some(children.clone()), ..OutputCollector::new() };
    children.spawn_process(outer, "outer").unwrap();
    let names = [children.take().unwrap().0, children.take().unwrap().0];
    assert_eq!(names.map(|command| command.get_program().to_owned()), ["outer", "inner"]);
}

#[test]
fn a_refusal_applies_to_the_next_call() {
    let children = FakeChildren::new();
    let refuse = |name| children.refuse(SpawnError::new(Step::Exec, name, ErrorKind::NotFound));
    refuse("first");
    refuse("pipeline");
    let refused = children.spawn_process(OutputCollector::new(), "first").unwrap_err();
    assert_eq!(refused.subject(), "first");
    let pipeline = || Pipeline::new().stage("one").stage("two");
    assert_eq!(children.spawn_pipeline(pipeline()).unwrap_err().subject(), "pipeline");
    assert!(children.take().is_none());
    assert!(children.spawn_pipeline(pipeline()).is_ok());
    assert_eq!(children.commands().len(), 5);
    let empty = children.spawn_pipeline(Pipeline::new()).unwrap_err();
    assert_eq!(empty.step(), Step::Validate);
}

#[test]
fn a_pipeline_of_fakes_ends_with_its_stages() {
    let children = FakeChildren::new();
    let pipeline = Pipeline::new().stage("sort").stage_with(OutputCollector::new(), "uniq");
    let running = children.spawn_pipeline(pipeline).unwrap();
    let (sort, uniq) = (children.take().unwrap(), children.take().unwrap());
    assert_eq!((running.first(), running.last()), (sort.1.process(), uniq.1.process()));
    let ended = running.ended();
    { sort.1 }.exit(0);
    { uniq.1 }.exit(3);
    let reasons = ended.try_take().unwrap().unwrap();
    assert_eq!((reasons[0].is_ok(), reasons[1].is_ok()), (true, false));
}

#[test]
fn an_async_child_of_a_fake_reads_writes_and_ends() -> Result<(), Box<dyn Error>> {
    let children = FakeChildren::new();
    let mut reactor = Reactor::new()?;
    let starter = children.clone();
    let dialogue = reactor.spawn_local(async move {
        let mut child = starter.spawn_child("cat")?;
        child.write("hello\n").await?;
        let line = child.stdout().lines().next().await;
        Ok::<_, ChildError>((line, child.ended().await?))
    });
    reactor.turn(None)?;
    let (_, mut cat) = children.take().unwrap();
    assert_eq!(cat.written(0), "hello\n");
    cat.child_writes(1, "HELLO\n");
    reactor.turn(None)?;
    assert!(cat.is_closed(0), "`ended` closes the inputs that were not taken");
    cat.exit(0);
    let (line, done) = reactor.block_on(dialogue)?;
    assert_eq!(line.unwrap(), "HELLO");
    assert_eq!(done.exit_code(), Some(0));
    Ok(())
}

#[test]
fn an_async_child_of_a_fake_ends_with_its_owner_if_its_command_says_so() {
    let children = FakeChildren::new();
    for (kill, signals) in [(true, vec![Signal::TERM, Signal::CONT]), (false, vec![])] {
        drop(children.spawn_child(Command::new("cat").kill_on_drop(kill)).unwrap());
        let (_, cat) = children.take().unwrap();
        assert_eq!(cat.signals(), signals);
    }
}

#[test]
fn a_running_child_comes_back() {
    let spawned = Command::new("true").spawn().unwrap();
    let pid = spawned.pid();
    let refused = FakeChildren::new().adopt(OutputCollector::new(), spawned).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let text = format!("the reactor cannot take process {pid}: fake children take none that run");
    assert_eq!(refused.to_string(), text);
    assert!(refused.into_spawned().wait().unwrap().is_ok());
}
