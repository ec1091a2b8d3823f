// Writes lines. The first argument is the length of a line in bytes, with its end; the second is the
// number of writes of 64 KiB. It runs on the processor that the environment names, if any.
#include "raw.h"

static char chunk[64 * 1024] __attribute__((aligned(4096)));

void begin(const word *stack) {
    move_to_processor(stack);
    word length = number(stack, 1), count = number(stack, 2);
    for (word at = 0; at < sizeof chunk; at++)
        chunk[at] = at % length == length - 1 ? '\n' : (char)('a' + at % length % 26);
    for (word i = 0; i < count; i++) write_all(chunk, sizeof chunk);
    leave(0);
}
