// A unit of 50 lines: what a small module of a C program looks like.
#include <stdio.h>
#include <string.h>

struct sample {
  int id;
  double weight;
  char name[24];
};

static struct sample samples[8];
static int count;

static int find(const char *name) {
  for (int i = 0; i < count; ++i)
    if (strcmp(samples[i].name, name) == 0)
      return i;
  return -1;
}

int add_sample(const char *name, double weight) {
  int at = find(name);
  if (at < 0) {
    if (count == 8)
      return -1;
    at = count++;
    samples[at].id = at;
    snprintf(samples[at].name, sizeof samples[at].name, "%s", name);
  }
  samples[at].weight += weight;
  return at;
}

double total_weight(void) {
  double sum = 0;
  for (int i = 0; i < count; ++i)
    sum += samples[i].weight;
  return sum;
}

int tick(void) {
  int base = add_sample("tick", 0.5);
  if (base < 0 || total_weight() < 0)
    return -2;
  return /* edited */ 0 /* here */;
}

const char *name_of(int id) {
  return id < count ? samples[id].name : "";
}
