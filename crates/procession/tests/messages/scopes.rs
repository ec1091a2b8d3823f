//! The errors of scopes.

use std::io;

use procession::{Command, Scope, ScopeError, ScopeMechanism};

use crate::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    let name = || "job".to_owned();
    let why = || "it leaves no process".to_owned();
    let what = "limit the processes of";
    let os = ScopeError::Os { what: "kill", name: name(), error: io::Error::from_raw_os_error(1) };
    let mut rows = vec![
        row(
            "ScopeError::Name",
            &ScopeError::Name { name: name(), why: "bad" },
            "invalid scope name \"job\": bad",
        ),
        row(
            "ScopeError::Exists",
            &ScopeError::Exists(name()),
            "cannot make scope \"job\": this program has one of that name",
        ),
        row(
            "ScopeError::Invalid",
            &ScopeError::Invalid { what, name: name(), why: why() },
            "cannot limit the processes of scope \"job\": it leaves no process",
        ),
        row(
            "ScopeError::Unsupported",
            &ScopeError::Unsupported { what, name: name(), why: "no controller".to_owned() },
            "cannot limit the processes of scope \"job\": no controller",
        ),
        row(
            "ScopeError::Base",
            &ScopeError::Base("/x".into(), "none".to_owned()),
            "cannot make a scope within \"/x\": none",
        ),
        row("ScopeError::Os", &os, "cannot kill scope \"job\": Operation not permitted"),
    ];
    let scope = Scope::new("messages").expect("a valid name");
    let text = "cannot join the scope for \"/bin/true\": it is frozen";
    if scope.mechanism() == ScopeMechanism::Cgroup {
        scope.freeze().expect("a cgroup can be frozen");
        let error = Command::new("/bin/true").scope(&scope).spawn().expect_err("it is frozen");
        rows.push(row("Step::Scope", &error, text));
    } else {
        rows.push(Row {
            of: "Step::Scope",
            chain: vec![text.to_owned()],
            expected: text.to_owned(),
        });
    }
    rows
}
