// Exits: what starting a process costs when the process costs nothing.
#include "raw.h"

void begin(const word *stack) {
    (void)stack;
    leave(0);
}
