// Exits: the cost of starting a process that does nothing.
#include "raw.h"

void begin(const word *stack) {
    (void)stack;
    leave(0);
}
