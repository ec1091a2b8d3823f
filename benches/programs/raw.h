// Shared code of the children of the comparisons: system calls without a C library, so that
// starting a child costs as little as possible. Linux on x86_64 and AArch64.
#pragma once

#include <asm/unistd.h>

typedef unsigned long word;

enum {
    SYS_READ = __NR_read,
    SYS_WRITE = __NR_write,
    SYS_GETPID = __NR_getpid,
    SYS_EXECVE = __NR_execve,
    SYS_SCHED_SETAFFINITY = __NR_sched_setaffinity,
    SYS_SCHED_GETAFFINITY = __NR_sched_getaffinity,
    SYS_EXIT = __NR_exit_group
};

#if defined(__x86_64__)
static inline long call(long number, word a, word b, word c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
#elif defined(__aarch64__)
static inline long call(long number, word a, word b, word c) {
    register long x8 __asm__("x8") = number;
    register word x0 __asm__("x0") = a;
    register word x1 __asm__("x1") = b;
    register word x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return (long)x0;
}
__asm__(".globl _start\n_start: mov x0, sp\nbl begin\n");
#else
#error "no system calls known for this machine"
#endif

static inline void leave(int status) {
    for (;;) call(SYS_EXIT, (word)status, 0, 0);
}

static inline word decimal(const char *digits) {
    word value = 0;
    for (; *digits; digits++) value = value * 10 + (word)(*digits - '0');
    return value;
}

// Returns the n-th argument as a number, or 0 if there is none. `stack` is the initial stack
// pointer.
static inline word number(const word *stack, word n) {
    return n < stack[0] ? decimal((const char *)stack[1 + n]) : 0;
}

// Writes all bytes. If the reader is gone, ends this program.
static inline void write_all(const char *bytes, word count) {
    for (word done = 0; done < count;) {
        long written = call(SYS_WRITE, 1, (word)(bytes + done), count - done);
        if (written < 0) leave(1);
        done += (word)written;
    }
}

// The size of a set of processors, in words.
enum { WORD_BITS = 8 * sizeof(word), MOST_WORDS = 16 };

// Restricts this process to one processor. Returns a negative number if that is refused.
static inline long stay_on(word cpu) {
    word own[MOST_WORDS];
    if (cpu >= WORD_BITS * MOST_WORDS) return -1;
    for (word at = 0; at < MOST_WORDS; at++) own[at] = 0;
    own[cpu / WORD_BITS] = 1ul << cpu % WORD_BITS;
    return call(SYS_SCHED_SETAFFINITY, 0, sizeof own, (word)own);
}

// Moves to the processor that the environment names (CHILDS_PROCESSOR of programs.rs), so that in
// every run reader and writer have one processor each, or share one.
static inline void move_to_processor(const word *stack) {
    static const char name[] = "PROCESSION_CHILDS_PROCESSOR=";
    for (const word *entry = stack + 2 + stack[0]; *entry; entry++) {
        const char *at = (const char *)*entry, *wanted = name;
        while (*wanted && *at == *wanted) at++, wanted++;
        if (*wanted) continue;
        stay_on(decimal(at));
        return;
    }
}
