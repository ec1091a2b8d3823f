// Writes the second argument's number of chunks of the first argument's number of bytes, at most
// 256 KiB; without a second argument it goes on until the reader is gone. On the processor that it is
// told, if any.
#include "raw.h"

static char chunk[256 * 1024] __attribute__((aligned(4096)));

void begin(const word *stack) {
    move_to_processor(stack);
    word bytes = number(stack, 1), count = number(stack, 2);
    for (word i = 0; count == 0 || i < count; i++)
        for (word done = 0; done < bytes;) {
            long written = call(SYS_WRITE, 1, (word)(chunk + done), bytes - done);
            if (written < 0) leave(1);
            done += (word)written;
        }
    leave(0);
}
