//! The rows: which call is refused, and what the command asks for that needs it.

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Pty, Resource, Rlimit};

use crate::filter::Calls;
use crate::util::sys;

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The child alone: a filter that kills ends nobody else.
    Child,
    /// The program, perhaps the child as well.
    Program,
}

/// What is done with the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// Its end is waited for, which comes from outside.
    Wait,
    /// The same, on a thread that ends after each child.
    OnThread,
    /// The program waits for a moment, and ends it then.
    Timeout,
    /// What it writes is kept, and its end comes from outside.
    Output,
    /// The program sends it a signal.
    Signal,
    /// The program terminates it, and its group.
    Terminate,
    /// The same, where it does not end by the first signal.
    Insist,
    /// It is a child of a reactor.
    Loop,
}

/// What the command asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) name: &'static str,
    pub(crate) make: fn(Command) -> Command,
    /// What must be seen of a child that runs as asked.
    pub(crate) shows: &'static str,
    pub(crate) act: Act,
    /// It says itself what 0, 1 and 2 are; else they are nothing.
    pub(crate) has_ends: bool,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) call: &'static str,
    pub(crate) number: libc::c_long,
    pub(crate) calls: Calls,
    pub(crate) by: By,
    pub(crate) ask: Ask,
}

const fn row(call: &'static str, number: libc::c_long, by: By, ask: Ask) -> Row {
    Row { call, number, calls: Calls::All, by, ask }
}

const fn is(mut row: Row, index: u8, value: u32) -> Row {
    row.calls = Calls::Is { index, value };
    row
}

const fn ask(name: &'static str, make: fn(Command) -> Command, shows: &'static str) -> Ask {
    Ask { name, make, shows, act: Act::Wait, has_ends: false }
}

const fn on_terminal(mut ask: Ask) -> Ask {
    ask.has_ends = true;
    ask
}

const fn acting(name: &'static str, make: fn(Command) -> Command, act: Act) -> Ask {
    Ask { name, make, shows: "exe pauses", act, has_ends: false }
}

/// No inputs and outputs, or they would be waited for.
const NOTHING: Ask = ask("nothing", |command| command, "fds [(0, \"/dev/null\"), (1, ");
const PIPES: Ask = ask(
    "pipes",
    |command| command.stdin(Fd::to_child()).stdout(Fd::from_child()).child_fd(3, Fd::socketpair()),
    "fds [(0, \"pipe\"), (1, \"pipe\"), (2, \"/dev/null\"), (3, \"socket\")]",
);
/// Numbers that change places, one that stays, and a hole.
const MAP: Ask = ask(
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
const MISSING: Ask = ask("no program", |_| null(Command::new("/no/such/program")), "");
const SESSION: Ask = ask("new_session", Command::new_session, "group own session own");
const GROUP: Ask = ask("process_group", |c| c.process_group(0), "group own session other");
const UMASK: Ask = ask("umask", |c| c.umask(0o71), "Umask: 0071");
const NICE: Ask = ask("nice", |c| c.nice(3), "nice 3 ");
const AFFINITY: Ask = ask("cpu_affinity", |c| c.cpu_affinity([0]), "Cpus_allowed_list: 0 ");
const DIRECTORY: Ask = ask("current_dir", |c| c.current_dir("/usr"), "cwd /usr ");
const LIMIT: Ask = ask(
    "rlimit",
    |c| c.rlimit(Resource::OpenFiles, Rlimit { soft: Some(99), hard: Some(999) }),
    "files 99 ",
);
const SCORE: Ask = ask("oom_score_adj", |c| c.oom_score_adj(77), "score 77 ");
const PARENT_DEATH: Ask = ask("parent_death_signal", |c| c.parent_death_signal(Signal::KILL), "");
const USER: Ask = ask(
    "uid, gid, groups",
    |c| c.uid(4242).gid(4343).groups([4444, 4545]),
    "Uid: 4242 4242 4242 4242 Gid: 4343 4343 4343 4343 Groups: 4444 4545 ",
);
const TERMINAL: Ask =
    on_terminal(ask("pty", |c| c.pty(Pty::new().size(24, 80)), "terminal one nice 0"));
const NO_CONTROL: Ask = on_terminal(ask(
    "pty, not controlling",
    |c| c.pty(Pty::new().controlling(false)),
    "terminal none",
));
const FILE: Ask = ask("null", |command| command.child_fd(3, Fd::null()), "(3, \"/dev/null\")");
const OWNED: Ask = ask("owned, kill_on_drop", |c| c.owned(true).kill_on_drop(true), "group own");
const INHERITED: Ask = ask("inherit_signals", Command::inherit_signals, "");

const SIGNALLED: Ask = acting("signal", |command| command, Act::Signal);
const TIMED: Ask = acting("wait_timeout", |command| command, Act::Timeout);
const OUTPUT: Ask = acting("output", |c| c.stdout(Fd::from_child()), Act::Output);
const INSISTED: Ask =
    acting("owned: terminate, deaf", |command| command.owned(true).inherit_signals(), Act::Insist);
const TERMINATED: Ask = acting("owned: terminate", |c| c.owned(true), Act::Terminate);
const THREAD: Ask = acting("a thread that ends", |command| command, Act::OnThread);
const LOOPED: Ask = acting(
    "a reactor",
    |command| command.stdin(Fd::to_child()).stdout(Fd::from_child()),
    Act::Loop,
);

/// A command without inputs and outputs.
pub(crate) fn null(command: Command) -> Command {
    command.stdin(Fd::null()).stdout(Fd::null()).stderr(Fd::null())
}

/// What every launch makes, or one that asks for inputs, outputs and other descriptors.
pub(crate) const LAUNCH: &[Row] = &[
    row("clone", libc::SYS_clone, By::Program, NOTHING),
    row("clone3", libc::SYS_clone3, By::Program, NOTHING),
    row("vfork", libc::SYS_vfork, By::Program, NOTHING),
    row("close_range", libc::SYS_close_range, By::Child, NOTHING),
    row("close_range", libc::SYS_close_range, By::Child, PIPES),
    row("close_range", libc::SYS_close_range, By::Child, MAP),
    row("close", libc::SYS_close, By::Program, NOTHING),
    row("socketpair", libc::SYS_socketpair, By::Program, NOTHING),
    row("socketpair", libc::SYS_socketpair, By::Program, PIPES),
    row("sendmsg", libc::SYS_sendmsg, By::Program, NOTHING),
    row("recvmsg", libc::SYS_recvmsg, By::Child, NOTHING),
    row("recvmsg", libc::SYS_recvmsg, By::Child, MAP),
    row("recvfrom", libc::SYS_recvfrom, By::Program, NOTHING),
    row("pipe2", libc::SYS_pipe2, By::Program, NOTHING),
    row("pipe2", libc::SYS_pipe2, By::Program, PIPES),
    row("dup3", libc::SYS_dup3, By::Child, NOTHING),
    row("dup3", libc::SYS_dup3, By::Child, PIPES),
    row("dup3", libc::SYS_dup3, By::Child, MAP),
    row("fcntl", libc::SYS_fcntl, By::Program, NOTHING),
    row("fcntl", libc::SYS_fcntl, By::Program, PIPES),
    is(row("fcntl F_GETFD", libc::SYS_fcntl, By::Program, NOTHING), 1, 1),
    is(row("fcntl F_SETFD", libc::SYS_fcntl, By::Child, NOTHING), 1, 2),
    is(row("fcntl F_SETFD", libc::SYS_fcntl, By::Child, MAP), 1, 2),
    is(row("fcntl F_GETFL", libc::SYS_fcntl, By::Program, PIPES), 1, 3),
    is(row("fcntl F_SETFL", libc::SYS_fcntl, By::Program, PIPES), 1, 4),
    is(row("fcntl F_DUPFD_CLOEXEC", libc::SYS_fcntl, By::Program, NOTHING), 1, 1030),
    row("fstat", libc::SYS_fstat, By::Program, NOTHING),
    row("newfstatat", libc::SYS_newfstatat, By::Program, NOTHING),
    row("uname", libc::SYS_uname, By::Program, NOTHING),
    row("mmap", libc::SYS_mmap, By::Program, NOTHING),
    row("mprotect", libc::SYS_mprotect, By::Program, NOTHING),
    row("munmap", libc::SYS_munmap, By::Program, NOTHING),
    row("munmap", libc::SYS_munmap, By::Program, THREAD),
    row("madvise", libc::SYS_madvise, By::Program, NOTHING),
    row("brk", libc::SYS_brk, By::Program, NOTHING),
    row("getpid", libc::SYS_getpid, By::Program, NOTHING),
    row("getppid", libc::SYS_getppid, By::Child, NOTHING),
    row("gettid", libc::SYS_gettid, By::Program, NOTHING),
    row("getrusage", libc::SYS_getrusage, By::Program, NOTHING),
    row("rt_sigprocmask", libc::SYS_rt_sigprocmask, By::Program, NOTHING),
    row("rt_sigaction", libc::SYS_rt_sigaction, By::Child, NOTHING),
    row("rt_sigaction", libc::SYS_rt_sigaction, By::Child, INHERITED),
    row("execve", libc::SYS_execve, By::Child, NOTHING),
    row("execveat", libc::SYS_execveat, By::Child, NOTHING),
    row("set_robust_list", libc::SYS_set_robust_list, By::Child, NOTHING),
    row("exit_group", libc::SYS_exit_group, By::Child, MISSING),
    row("exit", libc::SYS_exit, By::Child, MISSING),
    row("pidfd_open", libc::SYS_pidfd_open, By::Program, NOTHING),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, By::Program, MISSING),
    row("kill", libc::SYS_kill, By::Program, MISSING),
    row("waitid", libc::SYS_waitid, By::Program, MISSING),
    row("wait4", libc::SYS_wait4, By::Program, MISSING),
    row("poll", libc::SYS_poll, By::Program, MISSING),
];

/// What a command asks for.
pub(crate) const ASKED: &[Row] = &[
    row("open", libc::SYS_open, By::Program, FILE),
    row("openat", libc::SYS_openat, By::Program, FILE),
    row("setsid", libc::SYS_setsid, By::Child, NOTHING),
    row("setsid", libc::SYS_setsid, By::Child, SESSION),
    row("setpgid", libc::SYS_setpgid, By::Child, GROUP),
    row("umask", libc::SYS_umask, By::Child, UMASK),
    row("setpriority", libc::SYS_setpriority, By::Child, NICE),
    row("sched_setaffinity", libc::SYS_sched_setaffinity, By::Child, AFFINITY),
    row("chdir", libc::SYS_chdir, By::Child, DIRECTORY),
    row("prlimit64", libc::SYS_prlimit64, By::Program, LIMIT),
    Row {
        calls: Calls::Given { index: 2 },
        ..row("prlimit64 that sets", libc::SYS_prlimit64, By::Child, LIMIT)
    },
    row("openat", libc::SYS_openat, By::Child, SCORE),
    row("write", libc::SYS_write, By::Child, SCORE),
    row("prctl", libc::SYS_prctl, By::Child, PARENT_DEATH),
    row("getppid", libc::SYS_getppid, By::Child, PARENT_DEATH),
    row("getpid", libc::SYS_getpid, By::Program, PARENT_DEATH),
    row("readlinkat", libc::SYS_readlinkat, By::Program, PARENT_DEATH),
    row("setgroups", libc::SYS_setgroups, By::Child, USER),
    row("setresgid", libc::SYS_setresgid, By::Child, USER),
    row("setresuid", libc::SYS_setresuid, By::Child, USER),
    row("prctl", libc::SYS_prctl, By::Program, USER),
    is(row("prctl PR_CAP_AMBIENT", libc::SYS_prctl, By::Child, USER), 0, 47),
    row("rt_sigaction", libc::SYS_rt_sigaction, By::Program, OWNED),
    row("mmap", libc::SYS_mmap, By::Program, OWNED),
    row("madvise", libc::SYS_madvise, By::Program, OWNED),
    row("getpid", libc::SYS_getpid, By::Program, OWNED),
    row("clone3", libc::SYS_clone3, By::Program, OWNED),
    row("pidfd_open", libc::SYS_pidfd_open, By::Program, OWNED),
];

/// What a terminal takes.
pub(crate) const TERMINALS: &[Row] = &[
    row("open", libc::SYS_open, By::Program, TERMINAL),
    row("openat", libc::SYS_openat, By::Program, TERMINAL),
    row("newfstatat", libc::SYS_newfstatat, By::Program, TERMINAL),
    row("ioctl", libc::SYS_ioctl, By::Program, TERMINAL),
    is(row("ioctl TIOCSCTTY", libc::SYS_ioctl, By::Child, TERMINAL), 1, 0x540e),
    is(row("ioctl TIOCSCTTY", libc::SYS_ioctl, By::Child, NO_CONTROL), 1, 0x540e),
    is(row("ioctl TIOCSPTLCK", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x4004_5431),
    is(row("ioctl TIOCGPTPEER", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x5441),
    is(row("ioctl TIOCGPTN", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x8004_5430),
    is(row("ioctl TIOCSWINSZ", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x5414),
    is(row("ioctl TCGETS", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x5401),
    is(row("ioctl TCGETS2", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x802c_542a),
    is(row("ioctl TCSETS", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x5402),
    is(row("ioctl TCSETS2", libc::SYS_ioctl, By::Program, TERMINAL), 1, 0x402c_542b),
    row("setsid", libc::SYS_setsid, By::Child, TERMINAL),
    row("fchown", libc::SYS_fchown, By::Program, TERMINAL),
    is(row("fcntl F_GETFL", libc::SYS_fcntl, By::Program, TERMINAL), 1, 3),
    is(row("fcntl F_SETFL", libc::SYS_fcntl, By::Program, TERMINAL), 1, 4),
    row("ppoll", libc::SYS_ppoll, By::Program, TERMINAL),
    row("read", libc::SYS_read, By::Program, TERMINAL),
];

/// What the verbs take, beside what a launch does.
pub(crate) const VERBS: &[Row] = &[
    row("waitid", libc::SYS_waitid, By::Program, NOTHING),
    is(row("waitid P_PIDFD", libc::SYS_waitid, By::Program, NOTHING), 0, 3),
    row("wait4", libc::SYS_wait4, By::Program, NOTHING),
    row("poll", libc::SYS_poll, By::Program, NOTHING),
    row("ppoll", libc::SYS_ppoll, By::Program, TIMED),
    row("ppoll", libc::SYS_ppoll, By::Program, OUTPUT),
    row("ppoll", libc::SYS_ppoll, By::Program, MISSING),
    row("read", libc::SYS_read, By::Program, PIPES),
    row("read", libc::SYS_read, By::Program, OUTPUT),
    row("shutdown", libc::SYS_shutdown, By::Program, PIPES),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, By::Program, SIGNALLED),
    row("kill", libc::SYS_kill, By::Program, SIGNALLED),
    row("tgkill", libc::SYS_tgkill, By::Program, SIGNALLED),
    row("waitid", libc::SYS_waitid, By::Program, SIGNALLED),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, By::Program, TERMINATED),
    row("kill", libc::SYS_kill, By::Program, TERMINATED),
    row("getpgid", libc::SYS_getpgid, By::Program, TERMINATED),
    row("waitid", libc::SYS_waitid, By::Program, TERMINATED),
    row("ppoll", libc::SYS_ppoll, By::Program, INSISTED),
    row("kill", libc::SYS_kill, By::Program, INSISTED),
    row("pidfd_send_signal", libc::SYS_pidfd_send_signal, By::Program, INSISTED),
    row("openat", libc::SYS_openat, By::Program, TERMINATED),
    row("getdents64", libc::SYS_getdents64, By::Program, TERMINATED),
    row("readlink", libc::SYS_readlink, By::Program, TERMINATED),
    row("getpid", libc::SYS_getpid, By::Program, TERMINATED),
    row("read", libc::SYS_read, By::Program, TERMINATED),
];

/// What a reactor takes.
pub(crate) const LOOPS: &[Row] = &[
    row("epoll_create1", libc::SYS_epoll_create1, By::Program, LOOPED),
    row("epoll_ctl", libc::SYS_epoll_ctl, By::Program, LOOPED),
    row("epoll_wait", libc::SYS_epoll_wait, By::Program, LOOPED),
    row("epoll_pwait", libc::SYS_epoll_pwait, By::Program, LOOPED),
    row("epoll_pwait2", libc::SYS_epoll_pwait2, By::Program, LOOPED),
    row("eventfd2", libc::SYS_eventfd2, By::Program, LOOPED),
    row("timerfd_create", libc::SYS_timerfd_create, By::Program, LOOPED),
    row("timerfd_settime", libc::SYS_timerfd_settime, By::Program, LOOPED),
    row("pipe2", libc::SYS_pipe2, By::Program, LOOPED),
    row("socketpair", libc::SYS_socketpair, By::Program, LOOPED),
    row("rt_sigaction", libc::SYS_rt_sigaction, By::Program, LOOPED),
    row("rt_sigprocmask", libc::SYS_rt_sigprocmask, By::Program, LOOPED),
    row("pidfd_open", libc::SYS_pidfd_open, By::Program, LOOPED),
    row("waitid", libc::SYS_waitid, By::Program, LOOPED),
    row("wait4", libc::SYS_wait4, By::Program, LOOPED),
    row("poll", libc::SYS_poll, By::Program, LOOPED),
    row("ppoll", libc::SYS_ppoll, By::Program, LOOPED),
    row("read", libc::SYS_read, By::Program, LOOPED),
    row("write", libc::SYS_write, By::Program, LOOPED),
    row("writev", libc::SYS_writev, By::Program, LOOPED),
    row("ioctl", libc::SYS_ioctl, By::Program, LOOPED),
    row("fcntl", libc::SYS_fcntl, By::Program, LOOPED),
    row("getpid", libc::SYS_getpid, By::Program, LOOPED),
    row("gettid", libc::SYS_gettid, By::Program, LOOPED),
];
