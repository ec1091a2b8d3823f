// Writes chunks. The first argument is the size of a chunk in bytes, at most 256 KiB. The second is
// the number of chunks; without it the program writes until the reader is gone. It runs on the
// processor that the environment names, if any.
#include "raw.h"

static char chunk[256 * 1024] __attribute__((aligned(4096)));

void begin(const word *stack) {
    move_to_processor(stack);
    word bytes = number(stack, 1), count = number(stack, 2);
    for (word i = 0; count == 0 || i < count; i++) write_all(chunk, bytes);
    leave(0);
}
