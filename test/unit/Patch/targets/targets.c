/*
 * Functions with the first instructions that compilers write, to be armed and
 * replaced. Built many times, by GCC and Clang with several options; TARGET
 * names the build. Each is a function of its arguments only, so that a caller
 * knows what to expect; the build named "reference" is never armed.
 */

#define PASTE2(a, b, c) a##b##_##c
#define PASTE(a, b, c) PASTE2(a, b, c)
#define NAME(function) PASTE(target_, TARGET, function)

extern int target_helper(int a, int b);
extern volatile int target_seven;
extern int (*volatile target_pointer)(int, int);

int NAME(leaf)(int a, int b) { return a * 3 + b; }

/* Shorter than a jump. */
int NAME(first)(int a, int b) { return a; }
int NAME(zero)(int a, int b) { return 0; }

/* A RIP-relative operand at once. */
int NAME(global)(int a, int b) { return target_seven * a + b; }

/* A conditional branch early. */
int NAME(branch)(int a, int b) {
  if (a > 500)
    return b - a;
  return target_helper(a, b) + 1;
}

/* A call behind a short prologue, direct and through memory. */
int NAME(call)(int a, int b) { return target_helper(a, b) * 2; }
int NAME(pointer)(int a, int b) { return target_pointer(a, b) + 2; }

/* A jump is all there is. */
int NAME(tail)(int a, int b) { return target_helper(b, a); }

/* Many registers saved: boundaries all over the first bytes. */
int NAME(saves)(int a, int b) {
  int c = target_helper(a, 1), d = target_helper(b, 2),
      e = target_helper(a, 3), f = target_helper(b, 4),
      g = target_helper(a, 5);
  return target_helper(c, d) + target_helper(e, f) + g + a + b;
}

/* A frame that needs a long constant. */
int NAME(frame)(int a, int b) {
  volatile int room[300];
  for (int i = 0; i < 300; i += 100)
    room[i] = a + i;
  return room[0] + room[100] + room[200] + b;
}

int NAME(floating)(int a, int b) {
  double x = a * 0.5, y = b;
  return (int)(x * 4 + y);
}

int NAME(recursive)(int a, int b) {
  return a <= 0 ? b : NAME(recursive)(a - 300, b + 1) + a;
}

/* What a compiler may turn into a loop that begins at the entry. */
int NAME(loop)(int a, int b) {
  while (a > 900) {
    a -= 7;
    b ^= a;
  }
  return a + b;
}
