// One of many units that include a header: a shop with a stock of its own.
#include "shared.h"
#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace {

struct Shop {
  std::string Name = "shopNUMBER";
  std::map<std::string, int> Stock;
  std::vector<int> Prices;

  int worth() const {
    int Sum = 0;
    for (const auto &[Good, Count] : Stock)
      Sum += Count * price(static_cast<int>(Good.size()));
    return Sum;
  }
};

} // namespace

int shopNUMBER(int Count) {
  Shop S;
  S.Stock["grain"] = Count;
  S.Stock["cloth"] = Count + 1;
  for (int I = 0; I != Count; ++I)
    S.Prices.push_back(price(I));
  std::sort(S.Prices.begin(), S.Prices.end());
  return S.worth() + (S.Prices.empty() ? 0 : S.Prices.back());
}

#if NUMBER == 0
extern "C" int tick(void) { return price(0); }
#endif
