// A unit of 300 lines that uses nine heavy standard headers, as a module of a
// C++ program does: a small world with a market, a log and a query language.
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

inline double distance(Point A, Point B) {
  double DX = A.X - B.X, DY = A.Y - B.Y;
  return DX * DX + DY * DY;
}

enum class Good { Grain, Cloth, Iron, Salt };

static const char *spell(Good G) {
  switch (G) {
  case Good::Grain:
    return "grain";
  case Good::Cloth:
    return "cloth";
  case Good::Iron:
    return "iron";
  case Good::Salt:
    return "salt";
  }
  return "";
}

class Place {
public:
  Place(std::string Name, Point Where) : Name(std::move(Name)), Where(Where) {}
  virtual ~Place() = default;
  virtual int price(Good G) const { return 10 + static_cast<int>(G); }
  virtual std::string describe() const { return Name; }
  const std::string &name() const { return Name; }
  Point where() const { return Where; }

private:
  std::string Name;
  Point Where;
};

class Town : public Place {
public:
  Town(std::string Name, Point Where, int People)
      : Place(std::move(Name), Where), People(People) {}
  int price(Good G) const override {
    auto It = Stock.find(G);
    int Here = It == Stock.end() ? 0 : It->second;
    return std::max(1, Place::price(G) + People / 100 - Here);
  }
  std::string describe() const override {
    std::string Text = name() + " of " + std::to_string(People);
    for (const auto &[G, Count] : Stock)
      Text += std::string(" ") + spell(G) + ":" + std::to_string(Count);
    return Text;
  }
  void deliver(Good G, int Count) { Stock[G] += Count; }
  bool take(Good G, int Count) {
    auto It = Stock.find(G);
    if (It == Stock.end() || It->second < Count)
      return false;
    It->second -= Count;
    return true;
  }

private:
  int People;
  std::map<Good, int> Stock;
};

struct Caravan {
  std::string Owner;
  Town *At = nullptr;
  int Money = 100;
  std::map<Good, int> Load;
};

class Log {
public:
  void add(std::string Line) {
    if (Lines.size() == Limit)
      Lines.erase(Lines.begin());
    Lines.push_back(std::move(Line));
  }
  size_t count(const std::regex &What) const {
    return static_cast<size_t>(std::count_if(
        Lines.begin(), Lines.end(), [&](const std::string &Line) {
          return std::regex_search(Line, What);
        }));
  }
  void write(std::ostream &Out) const {
    for (const std::string &Line : Lines)
      Out << Line << '\n';
  }

private:
  static constexpr size_t Limit = 100;
  std::vector<std::string> Lines;
};

class Market {
public:
  using Rule = std::function<int(const Town &, Good, int)>;

  void addRule(std::string Name, Rule R) { Rules[std::move(Name)] = R; }
  int price(const Town &T, Good G) const {
    int Price = T.price(G);
    for (const auto &[Name, R] : Rules)
      Price = R(T, G, Price);
    return Price;
  }

private:
  std::unordered_map<std::string, Rule> Rules;
};

} // namespace world

using namespace world;

static std::vector<std::unique_ptr<Town>> Towns;
static std::vector<Caravan> Caravans;
static std::unordered_map<std::string, Town *> ByName;
static Market TheMarket;
static Log TheLog;
static int Rounds;

namespace {

Town *addTown(const std::string &Name, Point Where, int People) {
  Towns.push_back(std::make_unique<Town>(Name, Where, People));
  ByName[Name] = Towns.back().get();
  return Towns.back().get();
}

Town *nearest(const Town &From) {
  Town *Best = nullptr;
  for (const auto &T : Towns) {
    if (T.get() == &From)
      continue;
    if (!Best || distance(From.where(), T->where()) <
                     distance(From.where(), Best->where()))
      Best = T.get();
  }
  return Best;
}

std::vector<Good> goodsByPrice(const Town &T) {
  std::vector<Good> Goods = {Good::Grain, Good::Cloth, Good::Iron, Good::Salt};
  std::sort(Goods.begin(), Goods.end(), [&](Good A, Good B) {
    return TheMarket.price(T, A) < TheMarket.price(T, B);
  });
  return Goods;
}

bool buy(Caravan &C, Good G) {
  int Price = TheMarket.price(*C.At, G);
  if (Price > C.Money || !C.At->take(G, 1))
    return false;
  C.Money -= Price;
  C.Load[G] += 1;
  TheLog.add(C.Owner + " buys " + spell(G) + " for " + std::to_string(Price));
  return true;
}

bool sell(Caravan &C, Good G) {
  auto It = C.Load.find(G);
  if (It == C.Load.end() || It->second == 0)
    return false;
  It->second -= 1;
  C.Money += TheMarket.price(*C.At, G);
  C.At->deliver(G, 1);
  TheLog.add(C.Owner + " sells " + spell(G));
  return true;
}

void travel(Caravan &C) {
  Town *Next = nearest(*C.At);
  if (!Next)
    return;
  TheLog.add(C.Owner + " goes from " + C.At->name() + " to " + Next->name());
  C.At = Next;
}

void moveCaravan(Caravan &C) {
  for (Good G : goodsByPrice(*C.At))
    if (buy(C, G))
      break;
  travel(C);
  std::vector<Good> Goods = goodsByPrice(*C.At);
  std::reverse(Goods.begin(), Goods.end());
  for (Good G : Goods)
    if (sell(C, G))
      break;
}

void found() {
  Town *A = addTown("Aldgate", {0, 0}, 900);
  Town *B = addTown("Birch", {3, 4}, 400);
  addTown("Cairn", {9, 1}, 150);
  A->deliver(Good::Grain, 20);
  A->deliver(Good::Iron, 5);
  B->deliver(Good::Cloth, 12);
  B->deliver(Good::Salt, 7);
  Caravans.push_back({"Ada", A, 100, {}});
  Caravans.push_back({"Ben", B, 80, {}});
  TheMarket.addRule("toll", [](const Town &T, Good, int Price) {
    return Price + (T.name().size() > 5 ? 1 : 0);
  });
  TheMarket.addRule("salt tax", [](const Town &, Good G, int Price) {
    return G == Good::Salt ? Price * 2 : Price;
  });
}

int wealth() {
  int Sum = 0;
  for (const Caravan &C : Caravans)
    Sum += C.Money;
  return Sum;
}

} // namespace

/// Answers "price <good> in <town>", "who is in <town>" and "sales".
std::string ask(const std::string &Question) {
  static const std::regex Price("price (\\w+) in (\\w+)");
  static const std::regex Who("who is in (\\w+)");
  std::smatch Match;
  if (std::regex_match(Question, Match, Price)) {
    auto It = ByName.find(Match[2]);
    if (It == ByName.end())
      return "no such town";
    for (Good G : {Good::Grain, Good::Cloth, Good::Iron, Good::Salt})
      if (Match[1] == spell(G))
        return std::to_string(TheMarket.price(*It->second, G));
    return "no such good";
  }
  if (std::regex_match(Question, Match, Who)) {
    std::string Names;
    for (const Caravan &C : Caravans)
      if (C.At->name() == Match[1])
        Names += (Names.empty() ? "" : ", ") + C.Owner;
    return Names.empty() ? "nobody" : Names;
  }
  if (Question == "sales")
    return std::to_string(TheLog.count(std::regex(" sells ")));
  return "?";
}

/// Everything there is to say.
void report(std::ostream &Out) {
  for (const auto &T : Towns)
    Out << T->describe() << '\n';
  for (const Caravan &C : Caravans)
    Out << C.Owner << " has " << C.Money << '\n';
  TheLog.write(Out);
}

/// What one of each good costs there, by name.
std::map<std::string, int> priceList(const Town &T) {
  std::map<std::string, int> List;
  for (Good G : goodsByPrice(T))
    List[spell(G)] = TheMarket.price(T, G);
  return List;
}

/// Runs Count rounds on a thread of its own and waits for it.
void runInBackground(int Count) {
  std::thread Worker([Count] {
    for (int I = 0; I < Count; ++I)
      for (Caravan &C : Caravans)
        moveCaravan(C);
  });
  Worker.join();
}

extern "C" int tick() {
  if (Towns.empty())
    found();
  if (++Rounds % 1000 == 0)
    for (Caravan &C : Caravans)
      moveCaravan(C);
  if (wealth() < 0)
    return -2;
  return /* edited */ 0 /* here */;
}
