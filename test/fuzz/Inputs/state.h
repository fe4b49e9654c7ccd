// How a fuzzed program shows its state and takes one over. Every function and
// file with statics of its own passes each of them through keep_*: by value,
// so that no optimizer has to assume that its address is known. While `keeping`
// is set, calling such a function does nothing else.
//
// The program under test shows, and takes over no more than pointers to
// functions (SET). The reference (-DCOLD) takes over everything (KEEP).
#ifndef STATE_H
#define STATE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char u8;
typedef short i16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef u32 (*fn_t)(u32, u32);

struct entry {
  const char *name;
  fn_t function;
};

#ifdef __cplusplus
struct Failure {
  u32 code;
};
#endif

#define SET(variable, value) variable = value
#ifdef COLD
#define KEEP(variable, value) variable = value
#else
#define KEEP(variable, value) (void)(value)
#endif

extern u32 fuel;    // calls left: whatever calls whatever, it ends
extern int keeping; // 0: run, 1: show and take over

// Value, or what was loaded under this name.
u64 keep_int(const char *name, u64 value);
double keep_double(const char *name, double value);
const char *keep_text(const char *name, const char *value);
fn_t keep_function(const char *name, fn_t value);
void note(const char *what, u32 value);
u32 text_sum(const char *text);

#endif
