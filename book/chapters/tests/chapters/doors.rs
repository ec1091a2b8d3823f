//! One task in every way: two lines go through `sort`.

// ANCHOR: run
async fn by_run() -> Result<String, Box<dyn std::error::Error>> {
    let sort = procession::Run::new("sort").stdin("b\na\n").check().await?;
    Ok(sort.stdout_utf8()?.to_owned())
}
// ANCHOR_END: run

// ANCHOR: run_blocking
fn by_blocking_run() -> Result<String, Box<dyn std::error::Error>> {
    let sort = procession::Run::new("sort").stdin("b\na\n").check().output_blocking()?;
    Ok(sort.stdout_utf8()?.to_owned())
}
// ANCHOR_END: run_blocking

mod protocol {
    // ANCHOR: protocol
    use procession::prelude::*;

    struct Sort {
        sorted: BytesMut,
        result: Promise<Bytes, procession::ProcessTerminated>,
    }

    impl ProcessProtocol for Sort {
        fn connection_made(&mut self, process: &Process) {
            process.write("b\na\n");
            process.close_stdin();
        }

        fn out_received(&mut self, _: &Process, data: Bytes) {
            self.sorted.extend_from_slice(&data);
        }

        fn process_ended(&mut self, _: &Process, reason: ExitReason) {
            let sorted = self.sorted.split().freeze();
            self.result.complete(reason.map(|_| sorted));
        }
    }

    async fn by_protocol() -> Result<Bytes, Box<dyn std::error::Error>> {
        let (result, sorted) = Deferred::new();
        Handle::current().spawn_process(Sort { sorted: BytesMut::new(), result }, "sort")?;
        Ok(sorted.await?)
    }
    // ANCHOR_END: protocol

    #[test]
    fn it_sorts() {
        let mut reactor = Reactor::new().unwrap();
        assert_eq!(reactor.block_on(by_protocol()).unwrap(), super::SORTED);
    }
}

mod child {
    // ANCHOR: child
    use procession::prelude::*;

    async fn by_child() -> Result<Vec<u8>, procession::ChildError> {
        let mut sort = Handle::current().spawn_child("sort")?;
        sort.write("b\na\n").await?;
        sort.close_stdin();
        let sorted = sort.stdout().collect().await;
        sort.ended().await?;
        Ok(sorted)
    }
    // ANCHOR_END: child

    #[test]
    fn it_sorts() {
        let mut reactor = Reactor::new().unwrap();
        assert_eq!(reactor.block_on(by_child()).unwrap(), super::SORTED.as_bytes());
    }
}

mod blocking {
    // ANCHOR: blocking
    use std::fs::File;
    use std::io::Write;

    use procession::Command;

    fn by_spawn() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut sort = Command::new("sort").spawn()?;
        File::from(sort.take(0)?).write_all(b"b\na\n")?; // the file is closed here
        Ok(sort.output()?.stdout().to_vec())
    }
    // ANCHOR_END: blocking

    #[test]
    fn it_sorts() {
        assert_eq!(by_spawn().unwrap(), super::SORTED.as_bytes());
    }
}

mod on_tokio {
    // ANCHOR: tokio
    use procession::tokio::{Command, Stdio};
    use tokio::io::AsyncWriteExt;

    async fn by_tokio() -> std::io::Result<Vec<u8>> {
        let mut sort = Command::new("sort");
        let mut sort = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = sort.stdin.take().expect("it is a pipe");
        stdin.write_all(b"b\na\n").await?;
        drop(stdin);
        Ok(sort.wait_with_output().await?.stdout)
    }
    // ANCHOR_END: tokio

    #[test]
    fn it_sorts() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        assert_eq!(runtime.unwrap().block_on(by_tokio()).unwrap(), super::SORTED.as_bytes());
    }
}

mod pipeline {
    // ANCHOR: pipeline
    use std::fs::File;

    use procession::Pipeline;
    use procession::prelude::*;

    async fn by_pipeline(sorted: File) -> Result<(), Box<dyn std::error::Error>> {
        let pipeline = Pipeline::new()
            .stage(Command::new("printf").arg("b\\na\\n"))
            .stage(Command::new("sort").child_fd(1, Fd::inherit(sorted)));
        for end in Handle::current().spawn_pipeline(pipeline)?.ended().await? {
            end?;
        }
        Ok(())
    }
    // ANCHOR_END: pipeline

    #[test]
    fn it_sorts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sorted");
        let mut reactor = Reactor::new().unwrap();
        reactor.block_on(by_pipeline(File::create(&path).unwrap())).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), super::SORTED);
    }
}

mod background {
    // ANCHOR: background
    use procession::{Background, Run};

    // `children` is made once, by `Background::start()`, and cloned for all that need it.
    async fn by_background(children: &Background) -> Result<String, Box<dyn std::error::Error>> {
        let sort = children.run(Run::new("sort").stdin("b\na\n").check()).await?;
        Ok(sort.stdout_utf8()?.to_owned())
    }
    // ANCHOR_END: background

    #[test]
    fn it_sorts() {
        let children = Background::start().unwrap();
        let sorted = futures_lite::future::block_on(by_background(&children));
        assert_eq!(sorted.unwrap(), super::SORTED);
    }
}

const SORTED: &str = "a\nb\n";

#[test]
fn a_run_sorts() {
    let mut reactor = procession::Reactor::new().unwrap();
    assert_eq!(reactor.block_on(by_run()).unwrap(), SORTED);
    assert_eq!(by_blocking_run().unwrap(), SORTED);
}
