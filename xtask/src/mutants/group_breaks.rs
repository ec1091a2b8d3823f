//! The breaks of what is known of process groups, and of their end with the program.

use super::breaks::Break;

pub(crate) const GROUP_BREAKS: &[Break] = &[
    Break {
        name: "zombie-counts-as-alive",
        file: "crates/process-transport/src/group/proc.rs",
        from: r#"matches!(state, "Z" | "X" | "x") && threads <= 1"#,
        to: r#"matches!(state, "X" | "x") && threads <= 1"#,
        package: "procession-process-transport",
        tests: &["lib", "termination_group"],
    },
    Break {
        name: "status-of-a-joined-child-is-taken",
        file: "crates/process-transport/src/group/survey.rs",
        from: "if number != group && !own.has(number)",
        to: "if number != group && (group > 0 || !own.has(number))",
        package: "procession-process-transport",
        tests: &["termination_group"],
    },
    Break {
        name: "each-group-reads-proc-for-itself",
        file: "crates/process-transport/src/group/survey.rs",
        from: "None => sys::peek(sys::Child::Pid(number)) != Peeked::Running,",
        to: "None => number == 0 && sys::peek(sys::Child::Pid(number)) != Peeked::Running,",
        package: "procession-process-transport",
        tests: &["group_looks"],
    },
    Break {
        name: "members-that-end-are-looked-for-one-by-one",
        file: "crates/process-transport/src/group/survey.rs",
        from: "Some(Found::Alive(_)) => with_alive,",
        to: "Some(Found::Alive(_)) => with_alive && number == 0,",
        package: "procession-process-transport",
        tests: &["group_looks"],
    },
    Break {
        name: "group-loses-its-place-with-its-leader",
        file: "crates/process-transport/src/sys/owned/table.rs",
        from: "if !(leads_group && has_pidfd && self.table.is_own()) {",
        to: "if leads_group || has_pidfd || !self.table.is_own() {",
        package: "procession-process-transport",
        tests: &["owned_ends"],
    },
    Break {
        name: "what-a-finished-child-left-ends-with-the-program",
        file: "crates/process-transport/src/child/state.rs",
        from: "            self.exit.let_live();\n",
        to: "            drop(ExitWatch::let_live);\n",
        package: "procession-process-transport",
        tests: &["owned_ends"],
    },
    Break {
        name: "grace-ends-with-the-leader",
        file: "crates/process-transport/src/sys/owned/act.rs",
        from: "children > 0 || groups > 0 && is_a_group_left(table)",
        to: "children > 0 || groups < 0 && is_a_group_left(table)",
        package: "procession-process-transport",
        tests: &["owned_ends"],
    },
    Break {
        name: "zombies-have-a-grace-at-the-end",
        file: "crates/process-transport/src/sys/owned/living.rs",
        from: "Some(!is_ended || number(fields.nth(16)?)? > 1)",
        to: "Some(!is_ended || number(fields.nth(16)?)? > 0)",
        package: "procession-process-transport",
        tests: &["lib", "owned_ends"],
    },
];
