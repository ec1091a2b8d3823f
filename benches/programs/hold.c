// Lives until its standard input ends. Crowds of it are spread over the processors, each one starting
// once more on its own: what has run on one processor alone does not interrupt the others when it
// ends, and how many have is otherwise the scheduler's choice while they start.
#include "raw.h"

// The n-th of the processors that this process may run on; the first again after the last.
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
