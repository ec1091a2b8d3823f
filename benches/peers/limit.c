// The limit of a spawn: the cheapest known sequence of system calls in a plain loop, blocking,
// without a library above it.
//
//     limit ROW PROGRAMS COUNT CROWD
//
// It answers each line of its standard input with `value MICROSECONDS`, the mean of COUNT spawns of
// PROGRAMS/exit0 with three pipes, read to their end and reaped. The child shares memory and
// descriptor table with its parent until its first system call; its descriptors lie on low numbers
// that are reserved for them before anything else is opened.

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { WINDOW = 3, STACK = 64 * 1024 };

static char program[4096], holder[4096];
static char *child_stack;
static int with_session, with_map, with_pty;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

struct child {
    const char *program;
    int failed;
};

static int in_child(void *data) {
    struct child *child = data;
    if (close_range(WINDOW + 4, ~0U, CLOSE_RANGE_UNSHARE)) _exit(127);
    // A child is to start with no disposition of ours, and no call tells which there are.
    static const unsigned long normal[8];
    for (int signal = 1; signal <= 64; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            syscall(SYS_rt_sigaction, signal, normal, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (with_session || with_pty) setsid();
    for (int fd = 0; fd < 3; fd++) dup2(WINDOW + fd, fd);
    if (with_map) dup2(WINDOW + 3, 3);
    if (with_pty) ioctl(0, TIOCSCTTY, 0);
    if (with_map)
        close_range(4, WINDOW + 3, 0);
    else
        close_range(3, WINDOW + 3, 0);
    char *arguments[] = {(char *)child->program, NULL};
    execve(child->program, arguments, environ);
    child->failed = 1;
    _exit(127);
}

// Puts `fds` into the window, starts the program, and returns a descriptor of the process.
static int start(const char *name, const int *fds, int count) {
    for (int i = 0; i < count; i++)
        if (dup3(fds[i], WINDOW + i, O_CLOEXEC) < 0) fail("dup3");
    struct child child = {name, 0};
    int pidfd = -1;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int pid = clone(in_child, child_stack + STACK,
                    CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0 || pidfd < 0 || child.failed) fail("clone");
    return pidfd;
}

static void drain(int fd) {
    static char buffer[65536];
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
    close(fd);
}

static void reap(int pidfd) {
    siginfo_t info;
    struct rusage usage;
    if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED, &usage)) fail("waitid");
    close(pidfd);
}

static void spawn_with_pipes(void) {
    int in[2], out[2], err[2], extra[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) fail("pipe2");
    if (with_map && pipe2(extra, O_CLOEXEC)) fail("pipe2");
    int fds[] = {in[0], out[1], err[1], extra[1]};
    int count = with_map ? 4 : 3;
    int pidfd = start(program, fds, count);
    // The window's copies would keep the pipes open.
    for (int i = 0; i < count; i++) {
        dup3(0, WINDOW + i, O_CLOEXEC);
        close(fds[i]);
    }
    close(in[1]);
    drain(out[0]);
    drain(err[0]);
    if (with_map) drain(extra[0]);
    reap(pidfd);
}

static void spawn_on_pty(void) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int unlock = 0;
    ioctl(master, TIOCSPTLCK, &unlock);
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || slave < 0) fail("pty");
    int fds[] = {slave, slave, slave};
    int pidfd = start(program, fds, 3);
    for (int i = 0; i < 3; i++) dup3(0, WINDOW + i, O_CLOEXEC);
    close(slave);
    drain(master);
    reap(pidfd);
}

static void add_crowd(long count) {
    int input[2], none = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (pipe2(input, O_CLOEXEC)) fail("pipe2");
    for (long i = 0; i < count; i++) {
        int out[2];
        if (pipe2(out, O_CLOEXEC)) fail("pipe2");
        int fds[] = {input[0], out[1], none};
        start(holder, fds, 3);
        close(out[1]);
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    const char *row = argv[1];
    long count = atol(argv[3]), crowd = atol(argv[4]);
    snprintf(program, sizeof program, "%s/exit0", argv[2]);
    snprintf(holder, sizeof holder, "%s/hold", argv[2]);
    // The window is the parent's as long as it lives; its last number is never used.
    for (int i = 0; i < 4; i++) dup3(0, WINDOW + i, O_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    child_stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (child_stack == MAP_FAILED) fail("mmap");
    with_pty = !strcmp(row, "spawn-pty");
    with_session = with_map = !strcmp(row, "spawn-1g");
    if (with_session) {
        size_t bytes = (size_t)crowd << 20;
        // Pages of 4 KiB, whatever the system's choice.
        if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)) fail("prctl");
        char *ballast = malloc(bytes);
        if (bytes && !ballast) fail("malloc");
        memset(ballast, 1, bytes);
    }
    if (!strcmp(row, "spawn-18k"))
        for (long i = 0; i < crowd; i++)
            if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) fail("open");
    if (!strcmp(row, "spawn-5k")) add_crowd(crowd);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (long i = 0; i < count; i++)
            if (with_pty)
                spawn_on_pty();
            else
                spawn_with_pipes();
        clock_gettime(CLOCK_MONOTONIC, &to);
        double us = (double)(to.tv_sec - from.tv_sec) * 1e6 +
                    (double)(to.tv_nsec - from.tv_nsec) / 1e3;
        printf("value %.9f\n", us / (double)count);
    }
    return 0;
}
