// The driver of a fuzzed program. Lines of stdin:
//
//   c FUNCTION A B   call it, print what it returned
//   l NAME VALUE     load a value of the state
//   r                give the state what was loaded
//   d                print the state
//   .                answer with "."
#include "state.h"

u32 fuel;
int keeping;
static int taking; // over what was loaded
static const char *prefix = "";
static struct { char *name, *value; } loaded[4096];
static u32 count;

#define UNIT(name) \
  void keep_##name(void); \
  const struct entry *entries_##name(u32 index);
#include "units.h"
#undef UNIT

static const struct entry *find(const char *name, fn_t function) {
#define UNIT(unit) \
  for (u32 i = 0; entries_##unit(i)->name; ++i) \
    if (name ? !strcmp(entries_##unit(i)->name, name) \
             : entries_##unit(i)->function == function) \
      return entries_##unit(i);
#include "units.h"
#undef UNIT
  return 0;
}

static const char *value_of(const char *name) {
  char full[256];
  snprintf(full, sizeof full, "%s.%s", prefix, name);
  if (taking)
    for (u32 i = 0; i < count; ++i)
      if (!strcmp(loaded[i].name, full))
        return loaded[i].value;
  if (!taking)
    printf("%s ", full);
  return 0;
}

u64 keep_int(const char *name, u64 value) {
  const char *text = value_of(name);
  if (!taking)
    printf("%llu\n", value);
  return text ? strtoull(text, 0, 10) : value;
}

double keep_double(const char *name, double value) {
  const char *text = value_of(name);
  if (!taking)
    printf("%a\n", value);
  return text ? strtod(text, 0) : value;
}

const char *keep_text(const char *name, const char *value) {
  const char *text = value_of(name);
  if (!taking)
    printf("%s\n", value);
  return text ? strdup(text) : value;
}

fn_t keep_function(const char *name, fn_t value) {
  const char *text = value_of(name);
  const struct entry *known = text ? find(text + 1, 0) : find(0, value);
  if (text && !known) {
    printf("no function %s for %s\n", text, name);
    exit(3);
  }
  if (!taking)
    printf("&%s\n", known ? known->name : "?");
  return text ? known->function : value;
}

void note(const char *what, u32 value) { printf("  %s %u\n", what, value); }

u32 text_sum(const char *text) {
  u32 sum = 0;
  while (*text)
    sum = sum * 31 + (u8)*text++;
  return sum;
}

static void keep_all(int take) {
  keeping = 1;
  taking = take;
#define UNIT(unit) prefix = #unit; keep_##unit();
#include "units.h"
#undef UNIT
  keeping = taking = 0;
}

static void call(const char *name, u32 a, u32 b) {
  const struct entry *entry = find(name, 0);
  if (!entry) {
    printf("%s: none\n", name);
    return;
  }
  fuel = 60;
  fn_t volatile function = entry->function;
#ifdef __cplusplus
  try {
    u32 result = function(a, b);
    printf("%s %u %u\n", name, result, fuel);
  } catch (const Failure &failure) {
    printf("%s threw %u %u\n", name, failure.code, fuel);
  }
#else
  u32 result = function(a, b);
  printf("%s %u %u\n", name, result, fuel);
#endif
}

int main(void) {
  static char line[1024];
  char name[256];
  u32 a, b;
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] == 'c' && sscanf(line, "c %255s %u %u", name, &a, &b) == 3) {
      call(name, a, b);
    } else if (line[0] == 'l' && sscanf(line, "l %255s", name) == 1) {
      char *value = line + 2 + strlen(name);
      loaded[count].name = strdup(name);
      loaded[count++].value = strdup(*value ? value + 1 : value);
    } else if (line[0] == 'r') {
      keep_all(1);
      count = 0;
    } else if (line[0] == 'd') {
      keep_all(0);
    } else if (line[0] == '.') {
      puts(".");
      fflush(stdout);
    }
  }
  return 0;
}
