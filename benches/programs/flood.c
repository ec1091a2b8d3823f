// Writes the second argument's number of chunks of the first argument's number of bytes, at most
// 256 KiB; without a second argument it goes on until the reader is gone. On the processor that it is
// told, if any.
#include "raw.h"

static char chunk[256 * 1024] __attribute__((aligned(4096)));

void begin(const word *stack) {
    move_to_processor(stack);
    word bytes = number(stack, 1), count = number(stack, 2);
    for (word i = 0; count == 0 || i < count; i++) write_all(chunk, bytes);
    leave(0);
}
