// The function of world.cpp that is edited, behind the same headers, and no other:
// what it calls is only declared.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace world {

struct Point {
  double X = 0;
  double Y = 0;
};

struct Town {
  std::string Name;
  Point Place;
};

struct Caravan {
  std::string Owner;
  int Money = 0;
};

static std::vector<std::unique_ptr<Town>> Towns;
static std::vector<Caravan> Caravans;
static long Rounds;

__attribute__((weak)) void found();
__attribute__((weak)) void moveCaravan(Caravan &C);
__attribute__((weak)) int wealth();

extern "C" int tick() {
  if (Towns.empty() && found)
    found();
  if (++Rounds % 1000 == 0)
    for (Caravan &C : Caravans)
      moveCaravan(C);
  if (wealth && wealth() < 0)
    return -2;
  return /* edited */ 0 /* here */;
}

} // namespace world
