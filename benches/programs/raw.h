// What the children of the comparisons are made of: system calls without a C library, so that
// starting one costs as little as a program can. Linux on x86_64 and AArch64.
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

// The n-th argument as a number; 0 where there is none. `stack` is what the kernel left there.
static inline word number(const word *stack, word n) {
    word value = 0;
    if (n < stack[0])
        for (const char *digit = (const char *)stack[1 + n]; *digit; digit++)
            value = value * 10 + (word)(*digit - '0');
    return value;
}

// Moves to the processor that the environment names, so that a reader and a writer have one each or
// share one in every run.
static inline void move_to_processor(const word *stack) {
    enum { WORD_BITS = 8 * sizeof(word), MOST = 16 };
    static const char name[] = "PROCESSION_CHILDS_PROCESSOR=";
    for (const word *entry = stack + 2 + stack[0]; *entry; entry++) {
        const char *at = (const char *)*entry, *wanted = name;
        while (*wanted && *at == *wanted) at++, wanted++;
        if (*wanted) continue;
        word cpu = 0, allowed[MOST];
        for (; *at; at++) cpu = cpu * 10 + (word)(*at - '0');
        if (cpu >= WORD_BITS * MOST) return;
        for (word at = 0; at < MOST; at++) allowed[at] = 0;
        allowed[cpu / WORD_BITS] = 1ul << cpu % WORD_BITS;
        call(SYS_SCHED_SETAFFINITY, 0, sizeof allowed, (word)allowed);
        return;
    }
}
