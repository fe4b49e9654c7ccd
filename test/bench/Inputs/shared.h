#ifndef SHARED_H
#define SHARED_H

#include <map>
#include <string>
#include <vector>

// An inline function that every unit calls, and a class that it is used in.
inline int price(int Weight) {
  const int Base = /* edited */ 0 /* here */;
  return Base + 3 * Weight;
}

struct Good {
  std::string Name;
  std::vector<int> Weights;

  int worth() const {
    int Sum = 0;
    for (int Weight : Weights)
      Sum += price(Weight);
    return Sum;
  }
};

#endif
