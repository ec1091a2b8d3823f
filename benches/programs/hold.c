// Lives until its standard input ends. A crowd of it is spread over the processors: each process
// executes itself again on its own processor. When a process ends that has run on only one
// processor, it does not interrupt the others. Without this, the scheduler decides how many of the
// processes that is.
#include "raw.h"

// Returns the n-th processor that this process may run on. After the last one it starts again.
static long choose(const word *allowed, word words, word n) {
    word count = 0;
    for (word cpu = 0; cpu < words * WORD_BITS; cpu++)
        count += allowed[cpu / WORD_BITS] >> cpu % WORD_BITS & 1;
    if (count == 0) return -1;
    n %= count;
    for (word cpu = 0;; cpu++)
        if (allowed[cpu / WORD_BITS] >> cpu % WORD_BITS & 1 && n-- == 0) return (long)cpu;
}

static void spread(void) {
    word allowed[MOST_WORDS];
    for (word at = 0; at < MOST_WORDS; at++) allowed[at] = 0;
    long bytes = call(SYS_SCHED_GETAFFINITY, 0, sizeof allowed, (word)allowed);
    if (bytes <= 0) return;
    long cpu = choose(allowed, (word)bytes / sizeof(word), (word)call(SYS_GETPID, 0, 0, 0));
    if (cpu < 0 || stay_on((word)cpu) < 0) return;
    const char *again[] = {"hold", "again", 0}, *none[] = {0};
    call(SYS_EXECVE, (word) "/proc/self/exe", (word)again, (word)none);
}

void begin(const word *stack) {
    if (stack[0] == 1) spread();
    char byte;
    while (call(SYS_READ, 0, (word)&byte, 1) > 0) {
    }
    leave(0);
}
