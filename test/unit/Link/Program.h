#ifndef HOTJIT_TEST_UNIT_LINK_PROGRAM_H
#define HOTJIT_TEST_UNIT_LINK_PROGRAM_H

#include <cstdint>

// The program that the tests stage code for: this test itself. What new code
// binds to lies here, as a program's own functions and variables would.

extern "C" {
int programTwice(int X);    ///< 2 * X
int programIdentity(int X); ///< 1000: stands for an entry being replaced
int programHidden(int X);   ///< X + 77, found by name only in .symtab
void programThrow(int X);   ///< throws X
int programCatch(void (*Callee)(int), int X); ///< what Callee threw, else -1
extern int ProgramVisible;                    ///< 31, external linkage
extern thread_local int ProgramThreadLocal;   ///< 5 in each thread
}

int &programCounter(); ///< a file-local variable
int &programMode();    ///< a file-local variable that starts as 5

#endif
