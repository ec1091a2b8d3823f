//! The rows: the refused call, and the part of the command that needs it.

use std::sync::Mutex;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Pty, Resource, Rlimit, Scope};

use crate::filter::Calls;
use crate::util::sys;

/// Which process makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The child alone: a filter that kills ends no other process.
    Child,
    /// The program, and perhaps the child as well.
    Program,
}

/// What the program does with the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// The program waits for the end. The watcher ends the child.
    Wait,
    /// The same, on a thread that ends after each child.
    OnThread,
    /// The program waits with a short timeout, and then ends the child.
    Timeout,
    /// The program collects the output. The watcher ends the child.
    Output,
    /// The program sends a signal to the child.
    Signal,
    /// The program terminates the child and its group.
    Terminate,
    /// The same, for a child that ignores the first signal.
    Insist,
    /// The child belongs to a reactor.
    Loop,
}

/// A command and what is done with its child.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) make: fn(Command) -> Command,
    /// The part of the profile that shows that the child runs as asked.
    pub(crate) shows: &'static str,
    pub(crate) act: Action,
    /// Whether the command sets 0, 1 and 2 itself. Otherwise they are `/dev/null`.
    pub(crate) has_ends: bool,
}

/// One row of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) call: &'static str,
    pub(crate) number: libc::c_long,
    pub(crate) calls: Calls,
    pub(crate) by: Caller,
    pub(crate) scenario: Scenario,
}

const fn row(call: &'static str, number: libc::c_long, by: Caller, scenario: Scenario) -> Row {
    Row { call, number, calls: Calls::All, by, scenario }
}

const fn is(mut row: Row, index: u8, value: u32) -> Row {
    row.calls = Calls::Is { index, value };
    row
}

const fn scenario(
    name: &'static str,
    make: fn(Command) -> Command,
    shows: &'static str,
) -> Scenario {
    Scenario { name, make, shows, act: Action::Wait, has_ends: false }
}

const fn on_terminal(mut scenario: Scenario) -> Scenario {
    scenario.has_ends = true;
    scenario
}

const fn acting(name: &'static str, make: fn(Command) -> Command, act: Action) -> Scenario {
    Scenario { name, make, shows: "exe pauses", act, has_ends: false }
}

/// A command without pipes, because a wait would wait for their ends as well.
const NOTHING: Scenario = scenario("nothing", |command| command, "fds [(0, \"/dev/null\"), (1, ");
const PIPES: Scenario = scenario(
    "pipes",
    |command| command.stdin(Fd::to_child()).stdout(Fd::from_child()).child_fd(3, Fd::socketpair()),
    "fds [(0, \"pipe\"), (1, \"pipe\"), (2, \"/dev/null\"), (3, \"socket\")]",
);
/// Two numbers that are swapped, one that stays, and a gap.
const MAP: Scenario = scenario(
    "descriptors",
    |command| {
        let fd = |number| Fd::inherit(sys::borrow(number));
        command.child_fd(KEPT, fd(MOVED)).child_fd(MOVED, fd(KEPT)).child_fd(STAYS, fd(STAYS))
    },
    "(100, \"/\"), (101, \"/usr\"), (102, \"/dev\")]",
);
pub(crate) const KEPT: i32 = 100;
pub(crate) const MOVED: i32 = 101;
pub(crate) const STAYS: i32 = 102;
const MISSING: Scenario = scenario("no program", |_| null(Command::new("/no/such/program")), "");
const SESSION: Scenario = scenario("new_session", Command::new_session, "group own session own");
const GROUP: Scenario =
    scenario("process_group", |c| c.process_group(0), "group own session other");
const UMASK: Scenario = scenario("umask", |c| c.umask(0o71), "Umask: 0071");
const NICE: Scenario = scenario("nice", |c| c.nice(3), "nice 3 ");
const AFFINITY: Scenario =
    scenario("cpu_affinity", |c| c.cpu_affinity([0]), "Cpus_allowed_list: 0 ");
const DIRECTORY: Scenario = scenario("current_dir", |c| c.current_dir("/usr"), "cwd /usr ");
const LIMIT: Scenario = scenario(
    "rlimit",
    |c| c.rlimit(Resource::OpenFiles, Rlimit { soft: Some(99), hard: Some(999) }),
    "files 99 ",
);
const SCORE: Scenario = scenario("oom_score_adj", |c| c.oom_score_adj(77), "score 77 ");
const PARENT_DEATH: Scenario =
    scenario("parent_death_signal", |c| c.parent_death_signal(Signal::KILL), "");
const USER: Scenario = scenario(
    "uid, gid, groups",
    |c| c.uid(4242).gid(4343).groups([4444, 4545]),
    "Uid: 4242 4242 4242 4242 Gid: 4343 4343 4343 4343 Groups: 4444 4545 ",
);
const TERMINAL: Scenario =
    on_terminal(scenario("pty", |c| c.pty(Pty::new().size(24, 80)), "terminal one "));
const NO_CONTROL: Scenario = on_terminal(scenario(
    "pty, not controlling",
    |c| c.pty(Pty::new().controlling(false)),
    "terminal none",
));
const FILE: Scenario =
    scenario("null", |command| command.child_fd(3, Fd::null()), "(3, \"/dev/null\")");
const OWNED: Scenario =
    scenario("owned, kill_on_drop", |c| c.owned(true).kill_on_drop(true), "group own");
/// The scope of the test, which all copies share. A copy that is killed could not remove its own.
pub(crate) static SCOPE: Mutex<Option<Scope>> = Mutex::new(None);
pub(crate) const SCOPED: Scenario = scenario(
    "scope",
    |command| match &*SCOPE.lock().expect("no thread panics") {
        Some(scope) => command.scope(scope),
        None => command,
    },
    "scope own",
);
const INHERITED: Scenario = scenario("inherit_signals", Command::inherit_signals, "");

const SIGNALLED: Scenario = acting("signal", |command| command, Action::Signal);
const TIMED: Scenario = acting("wait_timeout", |command| command, Action::Timeout);
const OUTPUT: Scenario = acting("output", |c| c.stdout(Fd::from_child()), Action::Output);
const INSISTED: Scenario = acting(
    "owned: terminate, deaf",
    |command| command.owned(true).inherit_signals(),
    Action::Insist,
);
const TERMINATED: Scenario = acting("owned: terminate", |c| c.owned(true), Action::Terminate);
const THREAD: Scenario = acting("a thread that ends", |command| command, Action::OnThread);
const LOOPED: Scenario = acting(
    "a reactor",
    |command| command.stdin(Fd::to_child()).stdout(Fd::from_child()),
    Action::Loop,
);

/// Gives a command `/dev/null` for 0, 1 and 2.
pub(crate) fn null(command: Command) -> Command {
    command.stdin(Fd::null()).stdout(Fd::null()).stderr(Fd::null())
}

/// The maps that the library shares with a child. musl's allocator takes its memory by the same call,
/// so there only these are refused.
const fn maps(mut row: Row) -> Row {
    if cfg!(target_env = "musl") {
        row.calls = Calls::With { index: 3, flag: libc::MAP_SHARED.cast_unsigned() as u64 };
    }
    row
}

/// The calls of every launch, and of a launch with pipes and other descriptors.
pub(crate) const LAUNCH: &[Row] = &[
    row("clone", libc::SYS_clone, Caller::Program, NOTHING),
    row("clone3", libc::SYS_clone3, Caller::Program, NOTHING),
    row("vfork", libc::SYS_vfork, Caller::Program, NOTHING),
    row("close_range", libc::SYS_close_range, Caller::Child, NOTHING),
    row("close_range", libc::SYS_close_range, Caller::Child, PIPES),
    row("close_range", libc::SYS_close_range, Caller::Child, MAP),
    row("close", libc::SYS_close, Caller::Program, NOTHING),
    row("socketpair", libc::SYS_socketpair, Caller::Program, NOTHING),
    row("socketpair", libc::SYS_socketpair, Caller::Program, PIPES),
    row("sendmsg", libc::SYS_sendmsg, Caller::Program, NOTHING),
    row("recvmsg", libc::SYS_recvmsg, Caller::Child, NOTHING),
    row("recvmsg", libc::SYS_recvmsg, Caller::Child, MAP),
    row("recvfrom", libc::SYS_recvfrom, Caller::Program, NOTHING),
    row("pipe2", libc::SYS_pipe2, Caller::Program, NOTHING),
    row("pipe2", libc::SYS_pipe2, Caller::Program, PIPES),
    row("dup3", libc::SYS_dup3, Caller::Child, NOTHING),
    row("dup3", libc::SYS_dup3, Caller::Child, PIPES),
    row("dup3", libc::SYS_dup3, Caller::Child, MAP),
    row("fcntl", libc::SYS_fcntl, Caller::Program, NOTHING),
    row("fcntl", libc::SYS_fcntl, Caller::Program, PIPES),
    is(row("fcntl F_GETFD", libc::SYS_fcntl, Caller::Program, NOTHING), 1, 1),
    is(row("fcntl F_SETFD", libc::SYS_fcntl, Caller::Child, NOTHING), 1, 2),
    is(row("fcntl F_SETFD", libc::SYS_fcntl, Caller::Child, MAP), 1, 2),
    is(row("fcntl F_GETFL", libc::SYS_fcntl, Caller::Program, PIPES), 1, 3),
    is(row("fcntl F_SETFL", libc::SYS_fcntl, Caller::Program, PIPES), 1, 4),
    is(row("fcntl F_DUPFD_CLOEXEC", libc::SYS_fcntl, Caller::Program, NOTHING), 1, 1030),
    row("fstat", libc::SYS_fstat, Caller::Program, NOTHING),
    row("newfstatat", libc::SYS_newfstatat, Caller::Program, NOTHING),
    row("uname", libc::SYS_uname, Caller::Program, NOTHING),
    maps(row("mmap", libc::SYS_mmap, Caller::Program, NOTHING)),
    row("mprotect", libc::SYS_mprotect, Caller::Program, NOTHING),
    row("munmap", libc::SYS_munmap, Caller::Program, NOTHING),
    row("munmap", libc::SYS_munmap, Caller::Program, THREAD),
    row("madvise", libc::SYS_madvise, Caller::Program, NOTHING),
    row("brk", libc::SYS_brk, Caller::Program, NOTHING),
    row("getpid", libc::SYS_getpid, Caller::Program, NOTHING),
    row("getppid", libc::SYS_getppid, Caller::Child, NOTHING),
    row("gettid", libc::SYS_gettid, Caller::Program, NOTHING),
    row("getrusage", libc::SYS_getrusage, Caller::Program, NOTHING),
    row("process_vm_readv", libc::SYS_process_vm_readv, Caller::Program, NOTHING),
    row("rt_sigprocmask", libc::SYS_rt_sigprocmask, Caller::Program, NOTHING),
    row("rt_sigaction", libc::SYS_rt_sigaction, Caller::Child, NOTHING),
    row("rt_sigaction", libc::SYS_rt_sigaction, Caller::Child, INHERITED),
    row("execve", libc::SYS_execve, Caller::Child, NOTHING),
    row("execveat", libc::SYS_execveat, Caller::Child, NOTHING),
    row("set_robust_list", libc::SYS_set_robust_list, Caller::Child, NOTHING),
    row("exit_group", libc::SYS_exit_group, Caller::Child, MISSING),
    row("exit", libc::SYS_exit, Caller::Child, MISSING),
    row("pidfd_open", libc::SYS_pidfd_open, Caller::Program, NOTHING),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, Caller::Program, MISSING),
    row("kill", libc::SYS_kill, Caller::Program, MISSING),
    row("waitid", libc::SYS_waitid, Caller::Program, MISSING),
    row("wait4", libc::SYS_wait4, Caller::Program, MISSING),
    row("poll", libc::SYS_poll, Caller::Program, MISSING),
];

/// The calls that single options of a command need.
pub(crate) const ASKED: &[Row] = &[
    row("open", libc::SYS_open, Caller::Program, FILE),
    row("openat", libc::SYS_openat, Caller::Program, FILE),
    row("setsid", libc::SYS_setsid, Caller::Child, NOTHING),
    row("setsid", libc::SYS_setsid, Caller::Child, SESSION),
    row("setpgid", libc::SYS_setpgid, Caller::Child, GROUP),
    row("umask", libc::SYS_umask, Caller::Child, UMASK),
    row("setpriority", libc::SYS_setpriority, Caller::Child, NICE),
    row("sched_setaffinity", libc::SYS_sched_setaffinity, Caller::Child, AFFINITY),
    row("chdir", libc::SYS_chdir, Caller::Child, DIRECTORY),
    row("prlimit64", libc::SYS_prlimit64, Caller::Program, LIMIT),
    Row {
        calls: Calls::Given { index: 2 },
        ..row("prlimit64 that sets", libc::SYS_prlimit64, Caller::Child, LIMIT)
    },
    row("openat", libc::SYS_openat, Caller::Child, SCORE),
    row("write", libc::SYS_write, Caller::Child, SCORE),
    row("prctl", libc::SYS_prctl, Caller::Child, PARENT_DEATH),
    row("getppid", libc::SYS_getppid, Caller::Child, PARENT_DEATH),
    row("getpid", libc::SYS_getpid, Caller::Program, PARENT_DEATH),
    row("readlinkat", libc::SYS_readlinkat, Caller::Program, PARENT_DEATH),
    row("setgroups", libc::SYS_setgroups, Caller::Child, USER),
    row("setresgid", libc::SYS_setresgid, Caller::Child, USER),
    row("setresuid", libc::SYS_setresuid, Caller::Child, USER),
    row("prctl", libc::SYS_prctl, Caller::Program, USER),
    is(row("prctl PR_CAP_AMBIENT", libc::SYS_prctl, Caller::Child, USER), 0, 47),
    row("rt_sigaction", libc::SYS_rt_sigaction, Caller::Program, OWNED),
    maps(row("mmap", libc::SYS_mmap, Caller::Program, OWNED)),
    row("madvise", libc::SYS_madvise, Caller::Program, OWNED),
    row("getpid", libc::SYS_getpid, Caller::Program, OWNED),
    row("clone3", libc::SYS_clone3, Caller::Program, OWNED),
    row("pidfd_open", libc::SYS_pidfd_open, Caller::Program, OWNED),
    row("clone3", libc::SYS_clone3, Caller::Program, SCOPED),
    row("clone", libc::SYS_clone, Caller::Program, SCOPED),
    row("openat", libc::SYS_openat, Caller::Child, SCOPED),
    row("write", libc::SYS_write, Caller::Child, SCOPED),
    row("close", libc::SYS_close, Caller::Program, SCOPED),
];

/// The calls that a terminal needs.
pub(crate) const TERMINALS: &[Row] = &[
    row("open", libc::SYS_open, Caller::Program, TERMINAL),
    row("openat", libc::SYS_openat, Caller::Program, TERMINAL),
    row("newfstatat", libc::SYS_newfstatat, Caller::Program, TERMINAL),
    row("ioctl", libc::SYS_ioctl, Caller::Program, TERMINAL),
    is(row("ioctl TIOCSCTTY", libc::SYS_ioctl, Caller::Child, TERMINAL), 1, 0x540e),
    is(row("ioctl TIOCSCTTY", libc::SYS_ioctl, Caller::Child, NO_CONTROL), 1, 0x540e),
    is(row("ioctl TIOCSPTLCK", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x4004_5431),
    is(row("ioctl TIOCGPTPEER", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x5441),
    is(row("ioctl TIOCGPTN", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x8004_5430),
    is(row("ioctl TIOCSWINSZ", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x5414),
    is(row("ioctl TCGETS", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x5401),
    is(row("ioctl TCGETS2", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x802c_542a),
    is(row("ioctl TCSETS", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x5402),
    is(row("ioctl TCSETS2", libc::SYS_ioctl, Caller::Program, TERMINAL), 1, 0x402c_542b),
    row("setsid", libc::SYS_setsid, Caller::Child, TERMINAL),
    row("fchown", libc::SYS_fchown, Caller::Program, TERMINAL),
    is(row("fcntl F_GETFL", libc::SYS_fcntl, Caller::Program, TERMINAL), 1, 3),
    is(row("fcntl F_SETFL", libc::SYS_fcntl, Caller::Program, TERMINAL), 1, 4),
    row("ppoll", libc::SYS_ppoll, Caller::Program, TERMINAL),
    row("read", libc::SYS_read, Caller::Program, TERMINAL),
];

/// The calls that the verbs need, besides those of a launch.
pub(crate) const VERBS: &[Row] = &[
    row("waitid", libc::SYS_waitid, Caller::Program, NOTHING),
    is(row("waitid P_PIDFD", libc::SYS_waitid, Caller::Program, NOTHING), 0, 3),
    row("wait4", libc::SYS_wait4, Caller::Program, NOTHING),
    row("poll", libc::SYS_poll, Caller::Program, NOTHING),
    row("ppoll", libc::SYS_ppoll, Caller::Program, TIMED),
    row("ppoll", libc::SYS_ppoll, Caller::Program, OUTPUT),
    row("ppoll", libc::SYS_ppoll, Caller::Program, MISSING),
    row("read", libc::SYS_read, Caller::Program, PIPES),
    row("read", libc::SYS_read, Caller::Program, OUTPUT),
    row("shutdown", libc::SYS_shutdown, Caller::Program, PIPES),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, Caller::Program, SIGNALLED),
    row("kill", libc::SYS_kill, Caller::Program, SIGNALLED),
    row("tgkill", libc::SYS_tgkill, Caller::Program, SIGNALLED),
    row("waitid", libc::SYS_waitid, Caller::Program, SIGNALLED),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, Caller::Program, TERMINATED),
    row("kill", libc::SYS_kill, Caller::Program, TERMINATED),
    row("getpgid", libc::SYS_getpgid, Caller::Program, TERMINATED),
    row("waitid", libc::SYS_waitid, Caller::Program, TERMINATED),
    row("ppoll", libc::SYS_ppoll, Caller::Program, INSISTED),
    row("kill", libc::SYS_kill, Caller::Program, INSISTED),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, Caller::Program, INSISTED),
    row("openat", libc::SYS_openat, Caller::Program, TERMINATED),
    row("getdents64", libc::SYS_getdents64, Caller::Program, TERMINATED),
    row("readlink", libc::SYS_readlink, Caller::Program, TERMINATED),
    row("getpid", libc::SYS_getpid, Caller::Program, TERMINATED),
    row("read", libc::SYS_read, Caller::Program, TERMINATED),
];

/// The calls that a reactor needs.
pub(crate) const LOOPS: &[Row] = &[
    row("epoll_create1", libc::SYS_epoll_create1, Caller::Program, LOOPED),
    row("epoll_ctl", libc::SYS_epoll_ctl, Caller::Program, LOOPED),
    row("epoll_wait", libc::SYS_epoll_wait, Caller::Program, LOOPED),
    row("epoll_pwait", libc::SYS_epoll_pwait, Caller::Program, LOOPED),
    row("epoll_pwait2", libc::SYS_epoll_pwait2, Caller::Program, LOOPED),
    row("eventfd2", libc::SYS_eventfd2, Caller::Program, LOOPED),
    row("timerfd_create", libc::SYS_timerfd_create, Caller::Program, LOOPED),
    row("timerfd_settime", libc::SYS_timerfd_settime, Caller::Program, LOOPED),
    row("pipe2", libc::SYS_pipe2, Caller::Program, LOOPED),
    row("socketpair", libc::SYS_socketpair, Caller::Program, LOOPED),
    row("rt_sigaction", libc::SYS_rt_sigaction, Caller::Program, LOOPED),
    row("rt_sigprocmask", libc::SYS_rt_sigprocmask, Caller::Program, LOOPED),
    row("pidfd_open", libc::SYS_pidfd_open, Caller::Program, LOOPED),
    row("waitid", libc::SYS_waitid, Caller::Program, LOOPED),
    row("wait4", libc::SYS_wait4, Caller::Program, LOOPED),
    row("poll", libc::SYS_poll, Caller::Program, LOOPED),
    row("ppoll", libc::SYS_ppoll, Caller::Program, LOOPED),
    row("read", libc::SYS_read, Caller::Program, LOOPED),
    row("write", libc::SYS_write, Caller::Program, LOOPED),
    row("writev", libc::SYS_writev, Caller::Program, LOOPED),
    row("ioctl", libc::SYS_ioctl, Caller::Program, LOOPED),
    row("fcntl", libc::SYS_fcntl, Caller::Program, LOOPED),
    row("getpid", libc::SYS_getpid, Caller::Program, LOOPED),
    row("gettid", libc::SYS_gettid, Caller::Program, LOOPED),
];
