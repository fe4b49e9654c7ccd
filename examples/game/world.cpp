// The rules: what moves, what hits what, what it is worth.
#include "world.h"
#include <algorithm>

static float squaredDistance(Vec A, Vec B) {
  float X = A.X - B.X, Y = A.Y - B.Y;
  return X * X + Y * Y;
}

/// Points for a rock that was hit: small ones are harder.
static int worth(const Rock &R) { return R.Radius > 20 ? 20 : 50; }

World::World() { addRocks(4); }

unsigned World::random() { return Seed = Seed * 1664525u + 1013904223u; }

void World::addRocks(int Count) {
  for (int I = 0; I < Count; ++I) {
    Rock R;
    R.At = {float(random() >> 8) / (1 << 24) * Width, 0};
    R.Speed = {float(random() >> 24) / 128 - 1,
               float(random() >> 24) / 128 - 1};
    R.Radius = 40;
    Rocks.push_back(R);
  }
}

void World::update(const Input &Keys) {
  ++Frame;
  steer(Player, Keys);
  if (Keys.Fire)
    fire(Player, Shots);
  for (Rock &R : Rocks)
    R.At = wrapped(R.At + R.Speed);
  for (Shot &S : Shots) {
    S.At = wrapped(S.At + S.Speed);
    --S.Frames;
  }
  hitRocks();
  hitPlayer();
  Shots.erase(std::remove_if(Shots.begin(), Shots.end(),
                             [](const Shot &S) { return S.Frames <= 0; }),
              Shots.end());
  if (Rocks.empty())
    addRocks(4 + Score / 500);
}

/// A rock that is hit breaks into two smaller ones, until it is dust.
void World::hitRocks() {
  std::vector<Rock> Pieces;
  auto IsHit = [&](const Rock &R) {
    for (Shot &S : Shots) {
      if (S.Frames <= 0 || squaredDistance(S.At, R.At) > R.Radius * R.Radius)
        continue;
      S.Frames = 0;
      Score += worth(R);
      if (R.Radius > 12) {
        Pieces.push_back({R.At, {-R.Speed.Y, R.Speed.X}, R.Radius / 2});
        Pieces.push_back({R.At, {R.Speed.Y, -R.Speed.X}, R.Radius / 2});
      }
      return true;
    }
    return false;
  };
  Rocks.erase(std::remove_if(Rocks.begin(), Rocks.end(), IsHit), Rocks.end());
  Rocks.insert(Rocks.end(), Pieces.begin(), Pieces.end());
}

void World::hitPlayer() {
  for (const Rock &R : Rocks) {
    float Reach = R.Radius + 8;
    if (squaredDistance(Player.At, R.At) > Reach * Reach)
      continue;
    Player = Ship();
    if (--Lives == 0)
      *this = World();
    return;
  }
}
