// The limit of a spawn: procession's system calls in a plain loop, without a library.
//
//     limit ROW PROGRAMS COUNT CROWD
//
// It answers each line of its standard input with `value MICROSECONDS`, the mean of COUNT spawns of
// PROGRAMS/exit0 with three pipes, which are read to their end, and reaped. Until its first system
// call, the child shares memory and descriptor table with its parent. It keeps the numbers below KEPT,
// and moves its descriptors from there to their targets. If one has a higher number, it receives them
// over a socketpair. It resets every disposition. The parent watches the pipes and the exit with epoll.

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { STACK = 64 * 1024, FDS = 4, KEPT = 64 };

static char program[4096], holder[4096];
static char *child_stack;
static int with_session, with_map, with_pty;
// The socketpair, and the epoll descriptor that watches the pipes.
static int receiver, sender, watched;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

struct child {
    const char *program;
    const int *fds;
    int count, by_mail, failed;
};

// A message with room for the descriptors of one child.
struct mail {
    char byte, control[CMSG_SPACE(FDS * sizeof(int))];
    struct iovec part;
    struct msghdr header;
};

static struct msghdr *letter(struct mail *mail, int count) {
    mail->part = (struct iovec){&mail->byte, 1};
    mail->header = (struct msghdr){.msg_iov = &mail->part, .msg_iovlen = 1,
        .msg_control = mail->control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    return &mail->header;
}

// Leaves the parent's descriptor table with the descriptors of the child on the lowest numbers, which are
// those that the program should have.
static void take_fds(const struct child *child) {
    if (close_range(child->by_mail ? receiver + 1 : KEPT, ~0U, CLOSE_RANGE_UNSHARE)) _exit(127);
    if (fcntl(sender, F_GETFD) != -1) _exit(127);
    if (child->by_mail) {
        struct mail mail;
        close_range(0, receiver - 1, 0);
        if (recvmsg(receiver, letter(&mail, child->count), MSG_DONTWAIT) != 1) _exit(127);
        return;
    }
    // No target is the number of another one of them: 0 to 2 are open here, and 3 is the receiver.
    for (int i = 0; i < child->count; i++)
        if (dup2(child->fds[i], i) != i) _exit(127);
    close_range(child->count, ~0U, 0);
}

static int in_child(void *data) {
    struct child *child = data;
    take_fds(child);
    if (with_session || with_pty) setsid();
    if (with_pty) ioctl(0, TIOCSCTTY, 0);
    // A child must start with default dispositions, and no call reports which ones the parent has
    // changed.
    static const unsigned long normal[8];
    for (int signal = 1; signal <= 64; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            syscall(SYS_rt_sigaction, signal, normal, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *arguments[] = {(char *)child->program, NULL};
    execve(child->program, arguments, environ);
    child->failed = 1;
    _exit(127);
}

static void send_fds(const int *fds, int count) {
    struct mail mail = {.byte = 'x'};
    struct msghdr *message = letter(&mail, count);
    struct cmsghdr *rights = CMSG_FIRSTHDR(message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    if (sendmsg(sender, message, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) fail("sendmsg");
}

// Passes `fds`, starts the program, and returns a descriptor of the process.
static int start(const char *name, const int *fds, int count) {
    struct child child = {name, fds, count, 0, 0};
    for (int i = 0; i < count; i++) child.by_mail |= fds[i] >= KEPT;
    if (child.by_mail) send_fds(fds, count);
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

static void watch(int fd, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(watched, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

static void forget(int fd) {
    epoll_ctl(watched, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

static void reap(int pidfd) {
    siginfo_t info;
    struct rusage usage;
    if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, &usage)) fail("waitid");
}

// Reads `open` pipes, including the one to the child, until they are closed and the child is
// reaped.
static void until_the_end(int pidfd, int writing, int open) {
    static char buffer[65536];
    struct epoll_event events[8];
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (open++; open > 0;) {
        int count = epoll_wait(watched, events, 8, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == pidfd)
                reap(fd);
            else if (fd != writing && read(fd, buffer, sizeof buffer) > 0)
                continue;
            forget(fd);
            open--;
        }
    }
}

static void spawn_with_pipes(void) {
    int in[2], out[2], err[2], extra[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) fail("pipe2");
    if (with_map && pipe2(extra, O_CLOEXEC)) fail("pipe2");
    int fds[] = {in[0], out[1], err[1], extra[1]}, ours[] = {in[1], out[0], err[0], extra[0]};
    int count = with_map ? 4 : 3;
    for (int i = 0; i < count; i++)
        fcntl(ours[i], F_SETFL, (i == 0 ? O_WRONLY : O_RDONLY) | O_NONBLOCK);
    int pidfd = start(program, fds, count);
    for (int i = 0; i < count; i++) close(fds[i]);
    watch(pidfd, EPOLLIN);
    for (int i = 0; i < count; i++) watch(ours[i], i == 0 ? 0 : EPOLLIN);
    until_the_end(pidfd, in[1], count);
}

static void spawn_on_pty(void) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int unlock = 0;
    ioctl(master, TIOCSPTLCK, &unlock);
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || slave < 0) fail("pty");
    int fds[] = {slave, slave, slave};
    int pidfd = start(program, fds, 3);
    close(slave);
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    watch(pidfd, EPOLLIN);
    watch(master, EPOLLIN);
    until_the_end(pidfd, -1, 1);
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
    // Open the receiver at a low number, before anything else, and the sender above it.
    int mailbox[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, mailbox)) fail("socketpair");
    receiver = mailbox[0];
    sender = fcntl(mailbox[1], F_DUPFD_CLOEXEC, KEPT);
    if (sender < 0) fail("fcntl");
    close(mailbox[1]);
    if ((watched = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
    signal(SIGPIPE, SIG_IGN);
    child_stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (child_stack == MAP_FAILED) fail("mmap");
    with_pty = !strcmp(row, "spawn-pty");
    with_session = with_map = !strcmp(row, "spawn-1g");
    if (with_session) {
        size_t bytes = (size_t)crowd << 20;
        // Use pages of 4 KiB, whatever the system's setting.
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
